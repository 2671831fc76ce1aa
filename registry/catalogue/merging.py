"""Use cases of proposed merges. A merge takes effect when both homes' platforms, or the coordination group, have confirmed it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import or_, update
from sqlmodel import col, select

from hub.application import keyset
from hub.application.transaction import Transaction
from hub.application.within import stem
from hub.codec.encode import timestamp
from hub.codec.fields import Fields
from hub.domain.caller import Role
from hub.domain.refusals import Refusal, RefusalCode, invalid_state
from registry.catalogue import store
from registry.catalogue.domain import EntryState
from registry.catalogue.events import change_of, entries_changed, providers_merged
from registry.catalogue.tables import EntryRow, MergeRow, ProviderMergeRow
from registry.codec import REASON_CHARS_MAX
from yrd.registry.v1 import catalogue_pb2 as pb

_NUMBER_MAX = 2**63 - 1
_STATE_IN: dict[int, str] = {number: name.removeprefix("MERGE_STATE_") for name, number in pb.MergeState.items() if number}
_STATE_OUT: dict[str, Any] = {name: number for number, name in _STATE_IN.items()}
_SUBJECT_IN: dict[int, str] = {number: name.removeprefix("MERGE_SUBJECT_") for name, number in pb.MergeSubject.items() if number}
_SUBJECT_OUT: dict[str, Any] = {name: number for number, name in _SUBJECT_IN.items()}


async def list_merge_proposals(tx: Transaction, request: pb.ListMergeProposalsRequest) -> pb.ListMergeProposalsResponse | Refusal:
    """List proposals by number: all to the coordination group, to a platform those with a home in its division."""
    fields = Fields()
    state = fields.enum("state", request.state, _STATE_IN, "")
    subject = fields.enum("subject", request.subject, _SUBJECT_IN, "")
    page = fields.refusal or keyset.read_page(tx.caller, request, keyset.number)
    if isinstance(page, Refusal):
        return page
    statement = select(MergeRow).order_by(col(MergeRow.proposal_id)).limit(page.fetch)
    if tx.caller.role is not Role.COORDINATOR:
        own = stem(tx.caller.division)
        statement = statement.where(or_(col(MergeRow.left_division).startswith(own), col(MergeRow.right_division).startswith(own)))
    if state:
        statement = statement.where(MergeRow.state == state)
    if subject:
        statement = statement.where(MergeRow.subject == subject)
    if page.after is not None:
        statement = statement.where(col(MergeRow.proposal_id) > page.after[0])
    shown, token = page.cut((await tx.session.exec(statement)).all(), lambda row: [str(row.proposal_id)])
    return pb.ListMergeProposalsResponse(proposals=[_message(row) for row in shown], next_page_token=token)


async def confirm_merge(tx: Transaction, request: pb.ConfirmMergeRequest) -> pb.ConfirmMergeResponse | Refusal:
    """Confirm a proposal for the caller's side or sides; with both, or by the coordination group, it takes effect.

    MERGE_NOT_FOUND where it concerns no provider of the caller; INVALID_STATE where it is decided or the caller has confirmed already.
    """
    row = await _open(tx, request.proposal_id)
    if isinstance(row, Refusal):
        return row
    decides = tx.caller.role is Role.COORDINATOR
    before = bool(row.left_confirmed_by), bool(row.right_confirmed_by)
    if not row.left_confirmed_by and (decides or tx.caller.acts_for(row.left_division)):
        row.left_confirmed_by = tx.caller.participant_id
    if not row.right_confirmed_by and (decides or tx.caller.acts_for(row.right_division)):
        row.right_confirmed_by = tx.caller.participant_id
    if (bool(row.left_confirmed_by), bool(row.right_confirmed_by)) == before:
        return invalid_state("本方已确认,等待另一方", "this side has confirmed; the other side's confirmation is missing")
    if row.left_confirmed_by and row.right_confirmed_by:
        _decide(tx, row, "CONFIRMED", "")
        await (_merge_providers(tx, row) if row.subject == "PROVIDER" else _merge_entries(tx, row))
    tx.session.add(row)
    return pb.ConfirmMergeResponse(proposal=_message(row))


async def reject_merge(tx: Transaction, request: pb.RejectMergeRequest) -> pb.RejectMergeResponse | Refusal:
    """Reject a proposal for good. One home is enough, since a merge needs both.

    MERGE_NOT_FOUND where it concerns no provider of the caller; INVALID_STATE where it is decided.
    """
    fields = Fields()
    fields.text("reason", request.reason, REASON_CHARS_MAX)
    row = fields.refusal or await _open(tx, request.proposal_id)
    if isinstance(row, Refusal):
        return row
    _decide(tx, row, "REJECTED", request.reason)
    tx.session.add(row)
    return pb.RejectMergeResponse(proposal=_message(row))


async def _open(tx: Transaction, proposal_id: int) -> MergeRow | Refusal:
    """Return a proposal of the caller's side that is not decided, locked."""
    fields = Fields()
    fields.between("proposal_id", proposal_id, 1, _NUMBER_MAX)
    if fields.refusal is not None:
        return fields.refusal
    row = (await tx.session.exec(select(MergeRow).where(MergeRow.proposal_id == proposal_id).with_for_update())).one_or_none()
    # Whom it does not concern is not told that it exists.
    if row is None or not (tx.caller.sees(row.left_division) or tx.caller.sees(row.right_division)):
        return Refusal(RefusalCode.MERGE_NOT_FOUND)
    if row.state != "PROPOSED":
        return invalid_state(f"该建议已处理:{row.state}", f"the proposal is decided: {row.state}")
    return row


def _decide(tx: Transaction, row: MergeRow, state: str, reason: str) -> None:
    row.state, row.decided_by, row.decided_at, row.decision_reason = state, tx.caller.participant_id, tx.now, reason


async def _merge_entries(tx: Transaction, proposal: MergeRow) -> None:
    """Redirect one entry to the other, and those that were merged into it before. Both keep their history."""
    kept_key = int(proposal.kept)
    other_key = int(proposal.right_key if proposal.left_key == proposal.kept else proposal.left_key)
    # In the order of their numbers, so that two merges of the same entries do not wait for each other in a circle.
    rows = {key: await store.entry_by_id(tx.session, key, lock=True) for key in sorted((kept_key, other_key))}
    kept, other = rows[kept_key], rows[other_key]
    assert kept is not None and other is not None, "entries are never deleted"
    target = kept.merged_into or kept.entry_id
    if other.state == EntryState.MERGED.value or target == other.entry_id:
        # Another merge has brought them together meanwhile.
        return
    before = select(EntryRow).where(EntryRow.merged_into == other.entry_id).order_by(col(EntryRow.entry_id)).with_for_update()
    moved = [other, *(await tx.session.exec(before)).all()]
    stamp = store.Stamp(tx.now, tx.caller.participant_id, "Merge")
    for row in moved:
        await store.end(tx.session, row, EntryState.MERGED, stamp, target)
        for event in entries_changed(row.division, [change_of(row)], "Merge", tx.now):
            tx.emit(event)


async def _merge_providers(tx: Transaction, proposal: MergeRow) -> None:
    """Let reads of one provider's catalogue go to the other. Admission, standing and money of both stay as they are."""
    other = proposal.right_key if proposal.left_key == proposal.kept else proposal.left_key
    target, *_ = await store.same_institution(tx.session, proposal.kept)
    known = await store.same_institution(tx.session, other)
    if other in (target, *await store.same_institution(tx.session, target)):
        return
    assert proposal.proposal_id is not None
    await _point(tx, known, target, proposal.proposal_id)
    message = _message(proposal)
    message.kept = target
    tx.emit(providers_merged(message, known[0], tx.now))


async def _point(tx: Transaction, providers: Sequence[str], target: str, proposal_id: int) -> None:
    head, *rest = providers
    tx.session.add(ProviderMergeRow(provider=head, kept=target, proposal_id=proposal_id, merged_at=tx.now))
    if rest:
        await tx.session.execute(update(ProviderMergeRow).where(col(ProviderMergeRow.provider).in_(rest)).values(kept=target))


def _message(row: MergeRow) -> pb.MergeProposal:
    message = pb.MergeProposal(
        proposal_id=row.proposal_id or 0,
        subject=_SUBJECT_OUT[row.subject],
        left=row.left_key,
        right=row.right_key,
        left_division=row.left_division,
        right_division=row.right_division,
        kept=row.kept,
        score=row.score,
        reasons=[pb.MergeReason(**reason) for reason in row.reasons],
        state=_STATE_OUT[row.state],
        left_confirmed=bool(row.left_confirmed_by),
        right_confirmed=bool(row.right_confirmed_by),
        proposed_at=timestamp(row.proposed_at),
        decision_reason=row.decision_reason,
    )
    if row.decided_at is not None:
        message.decided_at.CopyFrom(timestamp(row.decided_at))
    return message
