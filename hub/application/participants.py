"""Participants: who may speak to the hub, and for which division (rules.md C10)."""

from __future__ import annotations

from typing import Any

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from hub.application import keyset
from hub.application.transaction import Transaction, UseCase
from hub.application.within import stem
from hub.codec.encode import timestamp
from hub.codec.fields import Fields
from hub.domain.caller import Role
from hub.domain.divisions import COORDINATION
from hub.domain.refusals import Refusal, RefusalCode, not_permitted
from hub.ledger.tables import ParticipantRow
from hub.security.access import scopes_of
from hub.security.spiffe import parse_spiffe_id
from yrd.common.v1 import access_pb2
from yrd.participant.v1 import participant_pb2 as pb

NAME_CHARS_MAX = 200

_ROLE_IN = {
    int(access_pb2.ROLE_PLATFORM): Role.PLATFORM,
    int(access_pb2.ROLE_COORDINATOR): Role.COORDINATOR,
    int(access_pb2.ROLE_PROVIDER): Role.PROVIDER,
}
_ROLE_OUT = {
    Role.PLATFORM: access_pb2.ROLE_PLATFORM,
    Role.COORDINATOR: access_pb2.ROLE_COORDINATOR,
    Role.PROVIDER: access_pb2.ROLE_PROVIDER,
}


async def register_participant(tx: Transaction, request: pb.RegisterParticipantRequest) -> pb.RegisterParticipantResponse | Refusal:
    """Register a system by the identity of its certificate, or change its name and scopes; without scopes it can do nothing.

    NOT_PERMITTED for anyone but the coordination group; ALREADY_EXISTS where it is registered in another role, which never changes.
    """
    if tx.caller.role is not Role.COORDINATOR:
        return not_permitted("仅协调组可以登记参与方", "only the coordination group registers participants")
    fields = Fields()
    values = _read(request.participant, fields)
    if fields.refusal is not None:
        return fields.refusal
    inserted = insert(ParticipantRow).values({**values, "registered_at": tx.now}).on_conflict_do_nothing()
    if (await tx.session.execute(inserted.returning(col(ParticipantRow.participant_id)))).first() is None:
        known = select(ParticipantRow).where(ParticipantRow.participant_id == values["participant_id"]).with_for_update()
        row = (await tx.session.exec(known)).one()
        if row.role != values["role"]:
            return Refusal(RefusalCode.ALREADY_EXISTS, metadata=(("role", row.role),))
        row.sqlmodel_update(values)
        tx.session.add(row)
        await tx.session.flush()
    return pb.RegisterParticipantResponse(participant=_message(await tx.session.get_one(ParticipantRow, values["participant_id"])))


def _read(message: pb.Participant, fields: Fields, at: str = "participant") -> dict[str, Any]:
    identity = parse_spiffe_id(message.participant_id)
    if identity is None or not identity.consistent:
        fields.wrong(f"{at}.participant_id", "must be spiffe://<province>/<division of it>/<system>")
    elif identity.division != message.division:
        fields.wrong(f"{at}.division", f"must be the division of the identity, {identity.division}")
    role = fields.enum(f"{at}.role", message.role, _ROLE_IN)
    if (role is Role.COORDINATOR) != (message.division == COORDINATION):
        fields.wrong(f"{at}.role", f"COORDINATOR belongs to division {COORDINATION}, every other role to another")
    open_to_role = scopes_of(role)
    for i, scope in enumerate(message.scopes):
        if scope not in open_to_role:
            fields.wrong(f"{at}.scopes[{i}]", "must be a scope that some method open to the role asks for")
    return {
        "participant_id": message.participant_id,
        "division": message.division,
        "name": fields.text(f"{at}.name", message.name, NAME_CHARS_MAX),
        "role": role.value,
        "scopes": sorted(set(message.scopes)),
    }


async def list_participants(tx: Transaction, request: pb.ListParticipantsRequest) -> pb.ListParticipantsResponse | Refusal:
    """List participants by id: the coordination group sees all, a platform those of its division and below it."""
    page = keyset.read_page(tx.caller, request, keyset.word)
    if isinstance(page, Refusal):
        return page
    statement = select(ParticipantRow).order_by(col(ParticipantRow.participant_id)).limit(page.fetch)
    if tx.caller.role is not Role.COORDINATOR:
        statement = statement.where(col(ParticipantRow.division).startswith(stem(tx.caller.division)))
    if page.after is not None:
        statement = statement.where(col(ParticipantRow.participant_id) > page.after[0])
    shown, token = page.cut((await tx.session.exec(statement)).all(), lambda row: [row.participant_id])
    return pb.ListParticipantsResponse(participants=[_message(row) for row in shown], next_page_token=token)


def _message(row: ParticipantRow) -> pb.Participant:
    return pb.Participant(
        participant_id=row.participant_id,
        division=row.division,
        name=row.name,
        role=_ROLE_OUT[Role(row.role)],
        scopes=row.scopes,
        registered_at=timestamp(row.registered_at),
    )


METHODS: dict[str, UseCase] = {
    "yrd.participant.v1.ParticipantService.RegisterParticipant": register_participant,
    "yrd.participant.v1.ParticipantService.ListParticipants": list_participants,
}
