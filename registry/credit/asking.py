"""Questions about subjects: bounded, logged, and answered with the least (沪科合〔2022〕19号 五(四)).

They change nothing on record, so they carry no request id; but they take tokens and leave a log, so they run in a transaction that writes.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from hashlib import sha256

from sqlalchemy import insert, text
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlmodel.ext.asyncio.session import AsyncSession
from stdnum.cn import ric
from stdnum.exceptions import ValidationError

from hub.application.transaction import Transaction
from hub.codec.fields import Fields
from hub.codec.outcome import Outcome, answer, refused
from hub.domain.caller import Caller
from hub.domain.clock import Clock
from hub.domain.refusals import Refusal, RefusalCode
from registry.credit import bucket, store
from registry.credit.bucket import Level, Limits
from registry.credit.codec import PURPOSE_IN, answer_message, read_subject
from registry.credit.domain import NOT_BARRED, Answer, Purpose, Subject, told
from registry.credit.tables import QueryRow
from yrd.credit.v1 import credit_pb2 as pb

SUBJECTS_MAX = 20

_IDENTITY = re.compile(r"\d{17}[\dX]", re.ASCII)

_OPEN = """
INSERT INTO registry.credit_bucket (participant_id, parts, filled_at, refused) VALUES (:id, :parts, :at, 0) ON CONFLICT DO NOTHING"""
_LOCK = "SELECT parts, filled_at FROM registry.credit_bucket WHERE participant_id = :id FOR UPDATE"
_KEEP = """
UPDATE registry.credit_bucket SET parts = :parts, filled_at = :at, refused = refused + :refused WHERE participant_id = :id"""


class CreditQuestions:
    """Answers CheckCredit and GetPersonReference. `key` is asked for each time: raises OSError where the hub has none."""

    def __init__(self, engine: AsyncEngine, clock: Clock, limits: Limits, key: Callable[[], bytes]) -> None:
        self._engine = engine
        self._clock = clock
        self._limits = limits
        self._key = key

    async def check(self, caller: Caller, request: pb.CheckCreditRequest) -> Outcome:
        """Say of each subject whether it is barred for the purpose. RATE_LIMITED; INVALID_ARGUMENT without a purpose."""
        fields = Fields()
        purpose = fields.enum("purpose", request.purpose, PURPOSE_IN)
        case_no = fields.number("case_no", request.case_no)
        subjects = _subjects(request, fields)
        if fields.refusal is not None:
            return refused(fields.refusal)
        async with AsyncSession(self._engine, expire_on_commit=False) as session, session.begin():
            tx = Transaction(session, caller, self._clock.now())
            refusal = await self._take(tx, len(subjects))
            if refusal is not None:
                return refused(refusal)
            found = await store.in_force(session, subjects, tx.today)
            answers = [told(found.get(subject.id, ()), purpose, tx.today) for subject in subjects]
            await _log(tx, purpose, case_no, subjects, answers)
        return answer(pb.CheckCreditResponse(answers=[answer_message(*pair) for pair in zip(subjects, answers, strict=True)]))

    async def reference(self, caller: Caller, request: pb.GetPersonReferenceRequest) -> Outcome:
        """Return the reference of a person. The number is in this call's memory only. RATE_LIMITED; UNAVAILABLE without a key."""
        number = request.identity_no
        if not _is_identity_number(number):
            fields = Fields()
            fields.wrong("identity_no", "must be a valid resident identity number of 18 characters (GB 11643-1999)")
            assert fields.refusal is not None
            return refused(fields.refusal)
        try:
            key = self._key()
        except OSError:
            return refused(_NO_KEY)
        async with AsyncSession(self._engine) as session, session.begin():
            refusal = await self._take(Transaction(session, caller, self._clock.now()), 1)
        if refusal is not None:
            return refused(refusal)
        digest = hmac.new(key, f"PERSON:{number}".encode(), sha256).hexdigest()
        return answer(pb.GetPersonReferenceResponse(reference=digest))

    async def _take(self, tx: Transaction, cost: int) -> Refusal | None:
        """Take tokens from the caller's bucket, whose row makes all processes agree, or say when to come back."""
        key = {"id": tx.caller.participant_id}
        start = bucket.full(self._limits, tx.now)
        await tx.session.execute(text(_OPEN), {**key, "parts": start.parts, "at": start.at})
        parts, filled_at = (await tx.session.execute(text(_LOCK), key)).one()
        taken = bucket.take(Level(parts, filled_at), cost, self._limits, tx.now)
        kept = {"parts": taken.level.parts, "at": taken.level.at, "refused": int(taken.retry_seconds > 0)}
        await tx.session.execute(text(_KEEP), {**key, **kept})
        return _limited(taken.retry_seconds) if taken.retry_seconds else None


def _is_identity_number(text: str) -> bool:
    """Say whether `text` has the form, the birth date and the check digit of an identity number. Its place of birth is not looked up: the
    table of counties has gaps, and people were born in them."""
    if not _IDENTITY.fullmatch(text) or ric.calc_check_digit(text) != text[-1]:
        return False
    try:
        ric.get_birth_date(text)
    except ValidationError:
        return False
    return True


def _subjects(request: pb.CheckCreditRequest, fields: Fields) -> list[Subject]:
    given = request.subjects
    if not 1 <= len(given) <= SUBJECTS_MAX:
        fields.wrong("subjects", f"must be 1 to {SUBJECTS_MAX}")
    read = [read_subject(item, fields, f"subjects[{i}]") for i, item in enumerate(given[:SUBJECTS_MAX])]
    if len(set(read)) < len(read):
        fields.wrong("subjects", "must name each subject only once")
    return read


async def _log(tx: Transaction, purpose: Purpose, case_no: str, subjects: list[Subject], answers: list[Answer]) -> None:
    head = {
        "participant_id": tx.caller.participant_id,
        "division": tx.caller.division,
        "asked_at": tx.now,
        "purpose": purpose.value,
        "case_no": case_no,
    }
    rows = [
        {**head, "subject_sha256": subject.sha256, "barred": item != NOT_BARRED} for subject, item in zip(subjects, answers, strict=True)
    ]
    await tx.session.execute(insert(QueryRow), rows)


def _limited(seconds: int) -> Refusal:
    return Refusal(
        RefusalCode.RATE_LIMITED,
        metadata=(("retry_after_seconds", str(seconds)),),
        detail_zh=f"查询次数超过限额,请于 {seconds} 秒后再查询",
        detail_en=f"more was asked than the caller may ask; ask again in {seconds} seconds",
    )


_NO_KEY = Refusal(
    RefusalCode.UNAVAILABLE,
    detail_zh="系统未配置个人标识密钥",
    detail_en="the hub has no key for references of persons (DELTAHUB_CREDIT_KEY_FILE)",
)
