"""What a world's parties, notes, redemptions and windows are called by the model, and what by the hub."""

from __future__ import annotations

from tests.support_usecases import credit_code

_PROVINCES = {"province": "330000", "abroad": "310000"}


class Names:
    """Codes of the `number`-th world (1 to 99) of a hub, and what the hub has named since."""

    def __init__(self, number: int) -> None:
        city = f"33{number:02d}"
        self.divisions = {"firm": f"{city}22", "other": f"{city}23"}
        self._codes = {
            **_PROVINCES,
            "city": f"{city}00",
            "county": f"{city}22",
            "firm": credit_code(2 * number, f"91{city}22"),
            "other": credit_code(2 * number + 1, f"91{city}23"),
            "away": credit_code(number, "12310104"),
            "near": credit_code(number, "12330104"),
        }
        self._names = {code: name for name, code in self._codes.items()}
        self._notes: dict[str, int] = {}
        self._redemptions: dict[str, str] = {}
        self.windows: dict[str, str] = {}
        """Ids of the windows, by the key of the command that closed them."""

    def code(self, name: str) -> str:
        """The division or credit code of a party."""
        return self._codes[name]

    def name(self, code: str) -> str:
        """The party of a code."""
        return self._names[code]

    def note(self, voucher_no: str) -> int:
        """The place of a note among all that were issued; one not seen before comes next."""
        return self._notes.setdefault(voucher_no, len(self._notes))

    def made(self, key: str, redemption_id: str) -> None:
        """Note what redemption a command made; fail where it is said to have made another."""
        assert self._redemptions.setdefault(key, redemption_id) == redemption_id

    def redemption(self, key: str) -> str:
        """The id of the redemption that a command made."""
        return self._redemptions[key]

    def key(self, redemption_id: str) -> str:
        """The command that made a redemption."""
        return next((key for key, made in self._redemptions.items() if made == redemption_id), f"nobody's {redemption_id}")
