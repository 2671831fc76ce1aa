"""Vouchers: issue, application, approval, cancellation, expiry (rules.md V1, V2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime

from hub.domain.caller import Caller
from hub.domain.clock import add_months, local_date
from hub.domain.decision import Decision, refuse
from hub.domain.divisions import contains
from hub.domain.model import Enterprise, Note, Wallet, WalletKey
from hub.domain.money import MAX_FEN
from hub.domain.policy import Policy
from hub.domain.posting import Account, Cause, Transfer
from hub.domain.reasons import SCOPE_CLAUSE, TRIAL_CLAUSE, Reason
from hub.domain.refusals import Refusal, RefusalCode, invalid, not_permitted

MAX_NOTES_PER_COMMAND = 10_000


@dataclass(frozen=True, slots=True)
class IssueItem:
    """Notes for one enterprise: `count` of `face_fen`, cut under a denomination. `numbers` name the notes after cutting."""

    enterprise: str
    face_fen: int
    count: int = 1
    numbers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Issue:
    """Issue notes to one or many enterprises, all or nothing (rules.md V1)."""

    issuer: str
    items: tuple[IssueItem, ...]
    issued_on: date


@dataclass(slots=True)
class IssueSnapshot:
    """What an issue may read: parties and wallets by enterprise, the policy in force, the numbers already taken, among them all of the
    form of generated ones whose ids may be drawn, and the face that the issuer has ever issued."""

    policy: Policy | None
    enterprises: dict[str, Enterprise] = field(default_factory=dict)
    wallets: dict[str, Wallet] = field(default_factory=dict)
    taken_numbers: frozenset[str] = frozenset()
    issued_total: int = 0


def decide_issue(
    snapshot: IssueSnapshot, command: Issue, caller: Caller, now: datetime, next_id: Callable[[], int]
) -> list[Decision] | Refusal:
    """Return one decision per item, or the refusal of the whole. `next_id` gives fresh note ids, which also number the notes."""
    if not caller.acts_for(command.issuer):
        return not_permitted("仅发券地平台可以发券", "only the issuer's platform issues")
    if command.issued_on > local_date(now):
        return invalid("issued_on", "is in the future")
    policy = snapshot.policy
    if policy is None:
        return Refusal(RefusalCode.POLICY_NOT_IN_FORCE)
    plans: list[Decision] = []
    used = set(snapshot.taken_numbers)
    issued: dict[str, int] = {}
    total = snapshot.issued_total
    for index, item in enumerate(command.items):
        refusal = _check_item(snapshot, policy, command, item, f"items[{index}]", issued)
        refusal = refusal or _check_total(total, item, f"items[{index}].face_fen") or _check_numbers(policy, item, used)
        if refusal is not None:
            return refusal
        total += item.face_fen * item.count
    # Ids are taken only once nothing refuses any more: a refusal leaves no trace, not even a gap.
    for item in command.items:
        plans.append(_issue_item(policy, command, item, used, next_id))
    return plans


def _check_total(total: int, item: IssueItem, where: str) -> Refusal | None:
    """Refuse face with which all that the issuer ever issued would be more than an amount may be (rules.md V1). So no balance, quota or
    sum of one issuer's ever is."""
    if total + item.face_fen * item.count <= MAX_FEN:
        return None
    left = max(MAX_FEN - total, 0) // item.count
    return invalid(where, f"must be at most {left} fen: all face that one issuer ever issues adds up to at most {MAX_FEN} fen")


def _check_numbers(policy: Policy, item: IssueItem, used: set[str]) -> Refusal | None:
    """Refuse numbers that are too few or too many, or taken; note them as used."""
    count = item.face_fen * item.count // (policy.denomination_fen or item.face_fen)
    if item.numbers and len(item.numbers) != count:
        return invalid("items.voucher_nos", f"must name {count} notes, or none")
    for number in item.numbers:
        if number in used:
            return Refusal(
                RefusalCode.ALREADY_EXISTS,
                metadata=(("voucher_no", number),),
                detail_zh=f"券号 {number} 已存在",
                detail_en=f"voucher number {number} exists already",
            )
        used.add(number)
    return None


def _check_item(
    snapshot: IssueSnapshot, policy: Policy, command: Issue, item: IssueItem, where: str, issued: dict[str, int]
) -> Refusal | None:
    enterprise = snapshot.enterprises.get(item.enterprise)
    if enterprise is None:
        return Refusal(RefusalCode.ENTERPRISE_NOT_FOUND, metadata=(("field", f"{where}.enterprise"), ("enterprise", item.enterprise)))
    if not contains(command.issuer, enterprise.division):
        return Refusal(RefusalCode.ENTERPRISE_NOT_OF_ISSUER, metadata=(("field", f"{where}.enterprise"),))
    whole = whole_notes(policy, item.face_fen, f"{where}.face_fen")
    if whole is not None:
        return whole
    year = command.issued_on.year
    wallet = snapshot.wallets.get(item.enterprise)
    before = (wallet.issued.get(year, 0) if wallet else 0) + issued.get(item.enterprise, 0)
    face = item.face_fen * item.count
    over = issue_cap(policy, before, face)
    if over is not None:
        return over
    issued[item.enterprise] = issued.get(item.enterprise, 0) + face
    return None


def whole_notes(policy: Policy, face_fen: int, where: str) -> Refusal | None:
    """Refuse a face that is not a whole number of notes (rules.md V1)."""
    if policy.denomination_fen and face_fen % policy.denomination_fen:
        return invalid(where, f"must be a multiple of the denomination of {policy.denomination_fen} fen")
    return None


def issue_cap(policy: Policy, before: int, face: int) -> Refusal | None:
    """Refuse face beyond the annual issue cap (rules.md V1)."""
    cap = policy.annual_issue_cap_fen
    if cap is None or before + face <= cap:
        return None
    reason = Reason(
        rule="V1",
        zh=f"本年度已发 {before} 分,再发 {face} 分将超过申请上限 {cap} 分",
        en=f"{before} fen issued this year; {face} more would exceed the issue cap of {cap} fen",
        code="ISSUE_CAP_EXCEEDED",
        policy_version=policy.version,
        clause=SCOPE_CLAUSE,
        facts=(("issued_fen", before), ("face_fen", face), ("annual_issue_cap_fen", cap)),
    )
    return Refusal(RefusalCode.ISSUE_CAP_EXCEEDED, reasons=(reason,), detail_zh=reason.zh, detail_en=reason.en)


def _issue_item(policy: Policy, command: Issue, item: IssueItem, used: set[str], next_id: Callable[[], int]) -> Decision:
    face = policy.denomination_fen or item.face_fen
    total = item.face_fen * item.count
    count = total // face
    wallet = WalletKey(command.issuer, item.enterprise)
    expires = add_months(command.issued_on, policy.validity_months)
    notes: list[Note] = []
    for index in range(count):
        note_id = next_id()
        number = item.numbers[index] if item.numbers else generated_number(command.issuer, command.issued_on.year, note_id)
        # The issuer may have given a note of its own a number of this form: the hub passes that one over.
        while not item.numbers and number in used:
            note_id = next_id()
            number = generated_number(command.issuer, command.issued_on.year, note_id)
        notes.append(Note(note_id, number, wallet, face, face, 0, 0, 0, command.issued_on, expires))
    transfer = Transfer(
        cause=Cause.ISSUE,
        debit=Account.APPROPRIATION,
        credit=Account.OUTSTANDING,
        amount=total,
        wallet=wallet,
        notes=tuple((note.note_id, note.face) for note in notes),
    )
    return Decision(new_notes=notes, transfers=[transfer], issued=(wallet, command.issued_on.year, total), cause="Issue")


def generated_number(issuer: str, year: int, note_id: int) -> str:
    """Return the number of a note that its issuer did not number."""
    return f"{issuer}-{year}-{note_id:010d}"


def decide_cancel(wallet: Wallet | None, issuer: str, voucher_no: str, caller: Caller) -> Decision:
    """Cancel a note: what is available returns to the issuer; what is reserved or redeemed stays. The issuer's platform calls."""
    if not caller.acts_for(issuer):
        return refuse(not_permitted("仅发券地平台可以作废", "only the issuer's platform cancels"))
    note = next((item for item in wallet.notes if item.voucher_no == voucher_no), None) if wallet else None
    if note is None:
        return refuse(Refusal(RefusalCode.VOUCHER_NOT_FOUND))
    if note.cancelled:
        return refuse(Refusal(RefusalCode.INVALID_STATE, detail_zh="该券已作废", detail_en="the note is cancelled already"))
    return _return_rest(note, Cause.CANCEL, "Cancel", cancelled_note=note.note_id)


def decide_expiry(wallet: Wallet, today: date) -> list[Decision]:
    """At expiry the unreserved rest of each note goes back to the issuer (rules.md V2). One decision a note."""
    due = [note for note in wallet.notes if note.available > 0 and note.expired(today)]
    return [_return_rest(note, Cause.EXPIRE, "Expire") for note in due]


def _return_rest(note: Note, cause: Cause, name: str, cancelled_note: int = 0) -> Decision:
    decision = Decision(cause=name, returned=note.available, cancelled_note=cancelled_note)
    if note.available:
        decision.transfers.append(
            Transfer(cause, Account.OUTSTANDING, Account.RETURNED, note.available, note.wallet, notes=((note.note_id, note.available),))
        )
    decision.reasons.append(
        Reason(
            rule="V2" if cause is Cause.EXPIRE else "V1",
            zh="券的未用余额退回发券地",
            en="the unreserved rest of the note goes back to the issuer",
            clause=TRIAL_CLAUSE,
            facts=(("returned_fen", note.available),),
        )
    )
    return decision
