"""Rows to domain values and back, where a column is not the value itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from hub.domain.model import ClassRule, Draw, Enterprise, Line, LineFlag, Note, OrderKey, PayeeKind, Provider, Redemption, State, WalletKey
from hub.domain.policy import Category, EnterpriseKind, Policy

REDEMPTION_COLUMNS = (
    "redemption_id, issuer, enterprise, provider, order_no, acquirer, policy_id, state, lines, line_refunds, authorized, subsidy, "
    "refunded, payee_kind, quota_year, authorized_at, expires_on, draw_notes, draw_numbers, draw_amounts, invoice_no, delivered_on, "
    "window_no, settled_on"
)
VOUCHER_COLUMNS = (
    "note_id, issuer, enterprise, voucher_no, face, available, reserved, redeemed, returned, issued_on, expires_on, counted_year, cancelled"
)

RECOGNITION_COLUMNS = "valid_from, valid_until, agreement, require_agreement"
"""Of `registry.recognition`: the arguments of `Recognition`, in order."""
CLASS_RULE_COLUMNS = "class_id::text, valid_from, valid_until, home, category, min_rating, quality_listed, require_agreement"
"""Of `registry.class_recognition`."""
AGREEMENT_COLUMNS = "signed_on, valid_until"
"""Of `registry.agreement`: the arguments of `Agreement`, in order."""


_CATEGORIES = {item.value: item for item in Category}
_FLAGS = {item.value: item for item in LineFlag}
_STATES = {item.value: item for item in State}
_PAYEES = {item.value: item for item in PayeeKind}


def lines_in(value: Sequence[Sequence[Any]]) -> tuple[Line, ...]:
    """Lines as kept in JSON: [category, fen, [flags]]."""
    return tuple(
        [Line(_CATEGORIES[category], amount, tuple([_FLAGS[flag] for flag in flags]) if flags else ()) for category, amount, flags in value]
    )


def lines_out(lines: Iterable[Line]) -> list[list[object]]:
    """Lines as kept in JSON."""
    return [[line.category.value, line.amount_fen, [flag.value for flag in line.flags]] for line in lines]


def redemption(row: Sequence[Any], policies: dict[int, Policy]) -> Redemption:
    """A row of REDEMPTION_COLUMNS."""
    return Redemption(
        str(row[0]), WalletKey(row[1], row[2]), row[5], OrderKey(row[3], row[4]), row[6], policies[row[6]].version, _STATES[row[7]],
        lines_in(row[8]), row[10], row[11], _PAYEES[row[13]], row[14], row[15], row[16],
        tuple([Draw(*parts) for parts in zip(row[17], row[18], row[19], strict=True)]),
        row[12], tuple(row[9]), row[20], row[21], row[22], row[23],
    )  # fmt: skip


def note(row: Sequence[Any], wallet: WalletKey | None = None) -> Note:
    """A row of VOUCHER_COLUMNS; `wallet` is whose it is, where that is at hand."""
    note_id, issuer, enterprise, voucher_no, face, available, reserved, redeemed, returned, issued_on, expires_on, counted, cancelled = row
    key = wallet or WalletKey(issuer, enterprise)
    return Note(note_id, voucher_no, key, face, available, reserved, redeemed, returned, issued_on, expires_on, counted, cancelled)


def enterprise(row: Sequence[Any]) -> Enterprise:
    """A row of (uscc, name, division, kind, sme_no, sme_valid_from, sme_valid_until, staff, sanctioned_on)."""
    return Enterprise(row[0], row[1], row[2], EnterpriseKind(row[3]), *row[4:9])


def provider(row: Sequence[Any]) -> Provider:
    """A row of (uscc, name, home, categories, admitted_on, rating, suspended_on), and quality_listed_on where it is read."""
    return Provider(row[0], row[1], row[2], tuple(_CATEGORIES[name] for name in row[3]), *row[4:8])


def class_rule(row: Sequence[Any]) -> ClassRule:
    """A row of CLASS_RULE_COLUMNS."""
    class_id, since, until, home, category, *rest = row
    return ClassRule(class_id, since, until, home, Category(category) if category else None, *rest)
