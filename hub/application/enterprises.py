"""Enterprises: each division keeps its own list and shares it with the hub (rules.md Authorize 1, 3)."""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from hub.application.transaction import Transaction, UseCase
from hub.codec import enums
from hub.codec.fields import Fields
from hub.domain.policy import EnterpriseKind
from hub.domain.refusals import Refusal, RefusalCode, not_permitted
from hub.ledger.tables import EnterpriseRow
from yrd.participant.v1 import participant_pb2 as pb

NAME_CHARS_MAX = 200
# Form only, and assumed (docs/domain.md): eligibility comes from the province's list, never from the pattern.
_SME_NO = re.compile(r"20\d{2}\d{6}[0-9A-Z]\d{7}", re.ASCII)

_SANCTIONED = """
SELECT EXISTS (SELECT FROM registry.negative_list
WHERE enterprise = :uscc AND since <= :today AND (until IS NULL OR until > :today))"""


async def register_enterprise(tx: Transaction, request: pb.RegisterEnterpriseRequest) -> pb.RegisterEnterpriseResponse | Refusal:
    """Register an enterprise, or replace what its division said of it before.

    NOT_PERMITTED for anyone but its division's platform; one that moves needs a platform that acts for both divisions, so that
    no region takes another's enterprise.
    """
    fields = Fields()
    values = _read(request.enterprise, fields)
    if fields.refusal is not None:
        return fields.refusal
    if not tx.caller.acts_for(request.enterprise.division):
        return not_permitted("仅企业所在地平台可以登记企业", "only the platform of the enterprise's division registers it")
    # Insert first, look later: of two who register the same code at once, the second waits here and then sees the first's row.
    inserted = insert(EnterpriseRow).values({**values, "registered_at": tx.now}).on_conflict_do_nothing().returning(col(EnterpriseRow.uscc))
    if (await tx.session.execute(inserted)).first() is None:
        known = select(EnterpriseRow).where(EnterpriseRow.uscc == request.enterprise.uscc).with_for_update(key_share=True)
        row = (await tx.session.exec(known)).one()
        if not tx.caller.acts_for(row.division):
            return not_permitted(
                "该企业登记在其他区划,须由管辖两地的平台变更",
                "the enterprise is registered elsewhere; a platform of both divisions moves it",
            )
        row.sqlmodel_update(values)
        tx.session.add(row)
        await tx.session.flush()
    return pb.RegisterEnterpriseResponse(enterprise=await _message(tx, await tx.session.get_one(EnterpriseRow, values["uscc"])))


def _read(message: pb.Enterprise, fields: Fields, at: str = "enterprise") -> dict[str, Any]:
    kind = fields.enum(f"{at}.kind", message.kind, enums.KIND_IN)
    # A kind that could not be read is a placeholder: it asks for no number.
    needs_number = message.kind in enums.KIND_IN and kind is EnterpriseKind.TECH_SME
    if (message.sme_no or needs_number) and not _SME_NO.fullmatch(message.sme_no):
        fields.wrong(f"{at}.sme_no", "must be an SME registration number of 18 characters; TECH_SME needs one")
    before = len(fields.violations)
    since = fields.optional_date(f"{at}.sme_valid_from", message.sme_valid_from)
    until = fields.optional_date(f"{at}.sme_valid_until", message.sme_valid_until)
    # Dates that could not be read are placeholders: there is nothing to compare.
    if len(fields.violations) == before and since is not None and until is not None and until <= since:
        fields.wrong(f"{at}.sme_valid_until", "must be after sme_valid_from")
    if message.staff < 0:
        fields.wrong(f"{at}.staff", "must not be negative")
    return {
        "uscc": fields.uscc(f"{at}.uscc", message.uscc),
        "name": fields.text(f"{at}.name", message.name, NAME_CHARS_MAX),
        "division": fields.division(f"{at}.division", message.division),
        "kind": kind.value,
        "sme_no": message.sme_no,
        "sme_valid_from": since,
        "sme_valid_until": until,
        "staff": message.staff,
    }


async def get_enterprise(tx: Transaction, request: pb.GetEnterpriseRequest) -> pb.GetEnterpriseResponse | Refusal:
    """Return one enterprise. One of another region is ENTERPRISE_NOT_FOUND, as if the hub did not know it."""
    fields = Fields()
    fields.uscc("uscc", request.uscc)
    if fields.refusal is not None:
        return fields.refusal
    row = await tx.session.get(EnterpriseRow, request.uscc)
    if row is None or not tx.caller.sees(row.division):
        return Refusal(RefusalCode.ENTERPRISE_NOT_FOUND)
    return pb.GetEnterpriseResponse(enterprise=await _message(tx, row))


async def _message(tx: Transaction, row: EnterpriseRow) -> pb.Enterprise:
    sanctioned = (await tx.session.execute(text(_SANCTIONED), {"uscc": row.uscc, "today": tx.today})).scalar_one()
    return pb.Enterprise(
        uscc=row.uscc,
        name=row.name,
        division=row.division,
        kind=enums.KIND_OUT[EnterpriseKind(row.kind)],
        sme_no=row.sme_no,
        sme_valid_from=row.sme_valid_from.isoformat() if row.sme_valid_from else "",
        sme_valid_until=row.sme_valid_until.isoformat() if row.sme_valid_until else "",
        staff=row.staff,
        sanctioned=sanctioned,
    )


METHODS: dict[str, UseCase] = {
    "yrd.participant.v1.EnterpriseService.RegisterEnterprise": register_enterprise,
    "yrd.participant.v1.EnterpriseService.GetEnterprise": get_enterprise,
}
