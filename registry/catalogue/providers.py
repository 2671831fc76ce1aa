"""Providers of a pool file, admitted by their home's platform: new ones by one statement, known ones as AdmitProvider does it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from hub.application.transaction import Transaction
from hub.codec.fields import Fields
from hub.domain.refusals import Refusal, RefusalCode
from registry.admission import domain
from registry.admission.codec import provider_changed, provider_message, read_provider
from registry.admission.direct import admit_provider
from registry.admission.domain import Cause, Member
from registry.admission.tables import ProviderVersionRow
from registry.catalogue.columns import Problem
from registry.catalogue.loading import Loaded
from registry.tables import ProviderRow
from yrd.common.v1 import types_pb2
from yrd.registry.v1 import registry_pb2 as pb

_CATEGORIES = dict(types_pb2.Category.items())
_ROWS_PER_STATEMENT = 1_000


async def admit_many(tx: Transaction, rows: Iterable[tuple[int, Mapping[str, str]]]) -> Loaded:
    """Admit the providers of a file's rows; a row that cannot be is reported, with the code that AdmitProvider would refuse it with."""
    loaded = Loaded()
    wanted: dict[str, tuple[int, Member, pb.Provider]] = {}
    for number, row in rows:
        loaded.rows += 1
        message, fields = _message(row), Fields()
        member = read_provider(message, fields, "")
        refusal = fields.refusal or domain.may_admit(tx.caller, member.home)
        if refusal is None and member.uscc in wanted:
            refusal = Refusal(RefusalCode.ALREADY_EXISTS)
        if refusal is None:
            wanted[member.uscc] = number, member, message
        else:
            loaded.problems.append(_problem(number, refusal))
    new = await _insert(tx, [member for _, member, _ in wanted.values()])
    loaded.created = len(new)
    for uscc, (number, _, message) in wanted.items():
        if uscc not in new:
            await _again(tx, number, message, loaded)
    loaded.failed = loaded.rows - loaded.created - loaded.updated - loaded.unchanged
    return loaded


async def _insert(tx: Transaction, members: list[Member]) -> set[str]:
    """Insert the providers that are new, with the beginning of their history and an event each; return their codes."""
    found: set[str] = set()
    members = sorted(members, key=lambda member: member.uscc)
    for start in range(0, len(members), _ROWS_PER_STATEMENT):
        part = members[start : start + _ROWS_PER_STATEMENT]
        values = [{"uscc": member.uscc, **_columns(member), "admitted_at": tx.now, "admitted_by": tx.caller.division} for member in part]
        statement = insert(ProviderRow).values(values).on_conflict_do_nothing().returning(col(ProviderRow.uscc))
        found.update((await tx.session.execute(statement)).scalars())
    new = [member for member in members if member.uscc in found]
    tx.session.add_all(_version(tx, member) for member in new)
    await tx.session.flush()
    for member in new:
        tx.emit(provider_changed(provider_message(member, tx.today), Cause.ADMIT))
    return found


def _columns(member: Member) -> dict[str, Any]:
    categories = [category.value for category in member.categories]
    return {
        "name": member.name,
        "home": member.home,
        "categories": categories,
        "admitted_on": member.admitted_on,
        "rating": member.rating,
    }


def _version(tx: Transaction, member: Member) -> ProviderVersionRow:
    return ProviderVersionRow(
        provider=member.uscc,
        cause=Cause.ADMIT.value,
        effective_on=domain.counts_from(None, member, tx.today),
        recorded_at=tx.now,
        participant_id=tx.caller.participant_id,
        division=tx.caller.division,
        reason="",
        **_columns(member),
    )


async def _again(tx: Transaction, number: int, message: pb.Provider, loaded: Loaded) -> None:
    before = len(tx.events)
    answer = await admit_provider(tx, pb.AdmitProviderRequest(provider=message))
    if isinstance(answer, Refusal):
        loaded.problems.append(_problem(number, answer))
    elif len(tx.events) > before:
        loaded.updated += 1
    else:
        loaded.unchanged += 1


def _message(row: Mapping[str, str]) -> pb.Provider:
    rating = row.get("rating", "")
    message = pb.Provider(
        uscc=row.get("uscc", ""),
        name=row.get("name", ""),
        home=row.get("home", ""),
        admitted_on=row.get("admitted_on", ""),
        # What is no number is out of range, and told as such.
        rating=int(rating) if rating.isdecimal() and len(rating) < 5 else 0 if not rating else -1,
    )
    names = [name for name in row.get("categories", "").split(";") if name]
    message.categories.extend(_CATEGORIES.get(f"CATEGORY_{name}", 0) for name in names)  # type: ignore[arg-type]  # an enum's numbers are int
    return message


def _problem(number: int, refusal: Refusal) -> Problem:
    column = refusal.violations[0].field.removeprefix(".").partition("[")[0] if refusal.violations else "uscc"
    return Problem(number, column, refusal.code, refusal.zh, refusal.en)
