"""What is wrong with a policy as it is written: a stable code, the field, and what to do, in Chinese and English."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

Spot = tuple[str | int, ...]
"""A field's place inside a policy: YAML names and positions in lists."""


class FieldFault(Exception):
    """What is wrong, and with which field (`spot` is its path). `others` are faults of the same policy found together with this one."""

    def __init__(self, spot: Spot, message: str, code: str = "INVALID_VALUE", zh: str = "", others: Sequence[FieldFault] = ()) -> None:
        super().__init__(message)
        self.spot, self.message, self.code, self.zh, self.others = spot, message, code, zh or message, tuple(others)

    def all(self) -> Iterator[FieldFault]:
        """Yield this fault and those found together with it."""
        yield self
        for other in self.others:
            yield from other.all()

    def within(self, part: str | int) -> list[FieldFault]:
        """Return all faults, one level further in: `part` names what holds the field."""
        return [FieldFault((part, *fault.spot), fault.message, fault.code, fault.zh) for fault in self.all()]


def together(faults: Sequence[FieldFault]) -> None:
    """Raise the first fault with the others attached; do nothing where there is none."""
    if faults:
        first = faults[0]
        raise FieldFault(first.spot, first.message, first.code, first.zh, (*first.others, *faults[1:]))


def path_of(spot: Spot) -> str:
    """Return a field path such as `categories[1].ratio_bp`."""
    text = ""
    for part in spot:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
