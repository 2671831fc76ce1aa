"""What the tiny clearing house holds, in the form in which `live_hub` reads it from the hub."""

from __future__ import annotations

from tests.property.live_model import ISSUERS, LABS, WALLETS, Model, Record

_PARTS = ("face", "available", "reserved", "redeemed", "returned")


def balances(model: Model) -> Record:
    """Every redemption, note, quota and order, and the sums of issuers and laboratories."""
    found: Record = {"redemptions": {key: model.shown(key) for key in model.redemptions}}
    for issuer, firm in WALLETS:
        notes = [note for note in model.notes if (note["issuer"], note["firm"]) == (issuer, firm)]
        notes.sort(key=lambda note: (note["expires"], note["no"]))
        found[f"notes of {firm} from {issuer}"] = [tuple(note[name] for name in ("no", *_PARTS, "expires")) for note in notes]
    found["used"] = {wallet: fen for wallet, fen in model.used.items() if fen}
    found["issued"] = {wallet: fen for wallet, fen in model.issued.items() if fen}
    orders = {place: {issuer: fen for issuer, fen in order["by"].items() if fen} for place, order in model.orders.items()}
    found["orders"] = {place: by for place, by in orders.items() if by}
    for issuer in ISSUERS:
        found[f"sums of {issuer}"] = _issuer(model, issuer)
    return found


def positions(model: Model) -> Record:
    """What the hub shows by its calls of the same, and of the laboratories besides."""
    return {**balances(model), **{f"sums of {lab}": _lab(model, lab) for lab in LABS}}


def _issuer(model: Model, issuer: str) -> tuple[int, ...]:
    """Issued, outstanding, reserved, payable, paid, returned."""
    face, available, reserved, redeemed, returned = (sum(n[name] for n in model.notes if n["issuer"] == issuer) for name in _PARTS)
    own = [item for item in model.redemptions.values() if item["issuer"] == issuer]
    payable, paid = (sum(item["subsidy"] for item in own if item["state"] == state) for state in ("CLEARED", "SETTLED"))
    assert payable + paid == redeemed
    return face, available, reserved, payable, paid, returned


def _lab(model: Model, lab: str) -> tuple[int, int]:
    """What is owed to it and not settled, and what was paid to it."""
    owed = sum(item["subsidy"] for item in model.redemptions.values() if model.payee(item) == lab and item["state"] == "CLEARED")
    return owed, sum(
        fen for window in model.windows.values() for debt, fen in window["owed"].items() if debt[1] == lab and debt in window["paid"]
    )
