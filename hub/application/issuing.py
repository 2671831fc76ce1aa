"""Ledger commands on vouchers: issue, approve an application, cancel, and the expiry sweep (rules.md V1, V2)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from hub.application.batch import Keys, WorkingSet
from hub.codec import encode, events
from hub.codec.applications import application_message
from hub.codec.outcome import Outcome, answer, refused
from hub.domain.caller import Caller
from hub.domain.clock import local_date
from hub.domain.decision import Decision
from hub.domain.issue import MAX_NOTES_PER_COMMAND, Issue, IssueItem, decide_cancel, decide_expiry, decide_issue
from hub.domain.model import Note, WalletKey
from hub.domain.refusals import Refusal, RefusalCode, invalid, invalid_state, not_permitted
from yrd.voucher.v1 import voucher_pb2 as pb


@dataclass(frozen=True, slots=True)
class IssueCommand:
    """Issue notes, all or nothing. `issued_on` None means the batch's date."""

    issuer: str
    items: tuple[IssueItem, ...]
    issued_on: date | None = None

    def touch(self, keys: Keys) -> None:
        """Name wallets, enterprises, the numbers asked for, and who issues."""
        keys.issuing.add((self.issuer, self.issued_on.year if self.issued_on else 0))
        for item in self.items:
            keys.wallets.add(WalletKey(self.issuer, item.enterprise))
            keys.enterprises.add(item.enterprise)
            keys.numbers.update((self.issuer, number) for number in item.numbers)

    def run(self, batch: WorkingSet, caller: Caller) -> Outcome:
        """Decide, apply, answer."""
        made = issue(batch, self.issuer, self.items, self.issued_on, caller)
        if isinstance(made, Refusal):
            return refused(made)
        return answer(pb.IssueVouchersResponse(issued_fen=sum(note.face for note in made), vouchers=[encode.voucher(n) for n in made]))


def issue(batch: WorkingSet, issuer: str, items: tuple[IssueItem, ...], issued_on: date | None, caller: Caller) -> list[Note] | Refusal:
    """Decide an issue and apply all of it, or return the refusal and apply nothing."""
    today = local_date(batch.now)
    day = issued_on or today
    snapshot = batch.issue_snapshot(issuer, {item.enterprise for item in items}, day, today)
    policy = snapshot.policy
    if policy is not None and policy.denomination_fen:
        count = sum(item.face_fen * item.count for item in items) // policy.denomination_fen
        if count > MAX_NOTES_PER_COMMAND:
            return invalid("items", f"would be cut into {count} notes; at most {MAX_NOTES_PER_COMMAND} in one request")
    decisions = decide_issue(snapshot, Issue(issuer, items, day), caller, batch.now, batch.next_note_id)
    if isinstance(decisions, Refusal):
        return decisions
    notes: list[Note] = []
    for decision in decisions:
        batch.apply(decision)
        notes.extend(decision.new_notes)
        batch.events.append(events.vouchers_issued(decision.new_notes, batch.now))
    return notes


@dataclass(frozen=True, slots=True)
class ApproveApplicationCommand:
    """Approve an application and issue its notes in the same transaction."""

    application_id: str
    approved_fen: int

    def touch(self, keys: Keys) -> None:
        """Name the application; the loader finds wallet and enterprise through it."""
        keys.applications.add(self.application_id)

    def run(self, batch: WorkingSet, caller: Caller) -> Outcome:
        """Decide, apply, answer."""
        application = batch.applications.get(self.application_id)
        if application is None:
            return refused(Refusal(RefusalCode.APPLICATION_NOT_FOUND))
        wallet = application.wallet
        if not caller.acts_for(wallet.issuer):
            return refused(not_permitted("仅发券地平台可以审批", "only the issuer's platform approves"))
        if application.state != "PENDING_REVIEW":
            return refused(invalid_state(f"申请状态为 {application.state}", f"the application is {application.state}"))
        if self.approved_fen > application.requested:
            return refused(invalid("approved_fen", f"must be at most the {application.requested} fen asked for"))
        made = issue(batch, wallet.issuer, (IssueItem(wallet.enterprise, self.approved_fen),), None, caller)
        if isinstance(made, Refusal):
            return refused(made)
        decided = application._replace(state="ISSUED", approved=self.approved_fen)
        batch.applications[self.application_id] = decided
        batch.dirty_applications.add(self.application_id)
        message = application_message(decided)
        batch.events.append(events.application_changed(message, batch.now))
        return answer(
            pb.ApproveApplicationResponse(
                application=message, issued_fen=sum(note.face for note in made), vouchers=[encode.voucher(note) for note in made]
            )
        )


@dataclass(frozen=True, slots=True)
class CancelCommand:
    """Cancel a note."""

    wallet: WalletKey
    voucher_no: str

    def touch(self, keys: Keys) -> None:
        """Name the wallet and the note."""
        keys.wallets.add(self.wallet)
        keys.numbers.add((self.wallet.issuer, self.voucher_no))

    def run(self, batch: WorkingSet, caller: Caller) -> Outcome:
        """Decide, apply, answer."""
        wallet = batch.wallets.get(self.wallet)
        decision = decide_cancel(wallet, self.wallet.issuer, self.voucher_no, caller)
        if decision.refusal is not None:
            return refused(decision.refusal)
        assert wallet is not None
        note = wallet.note(decision.cancelled_note)
        apply_return(batch, decision, note)
        return answer(pb.CancelVoucherResponse(voucher=encode.voucher(note), returned_fen=decision.returned))


def apply_return(batch: WorkingSet, decision: Decision, note: Note) -> None:
    """Apply what sends the rest of a note back, and tell the issuer's province."""
    batch.apply(decision)
    batch.events.append(events.voucher_returned(note, decision.returned, decision.cause, batch.now))


@dataclass(frozen=True, slots=True)
class ExpireWalletCommand:
    """Send the rest of expired notes back (rules.md V2); the scheduler's command, without a request id."""

    wallet: WalletKey

    def touch(self, keys: Keys) -> None:
        """Name the wallet."""
        keys.wallets.add(self.wallet)

    def run(self, batch: WorkingSet, caller: Caller) -> Outcome:
        """Decide, apply, answer with the number of notes."""
        del caller
        wallet = batch.wallets.get(self.wallet)
        decisions = decide_expiry(wallet, local_date(batch.now)) if wallet else []
        notes: list[pb.Voucher] = []
        for decision in decisions:
            assert wallet is not None
            note = wallet.note(decision.transfers[0].notes[0][0])
            apply_return(batch, decision, note)
            notes.append(encode.voucher(note))
        return answer(pb.IssueVouchersResponse(vouchers=notes))
