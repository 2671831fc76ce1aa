"""Local names → real identifiers. The same name is the same code in every run; every code made here is fictitious and valid."""

from __future__ import annotations

import hashlib
import uuid
from typing import Final

from stdnum.cn import uscc as credit_code

_ALPHABET: Final = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_SOME_DIVISION: Final = "100000"
_NAMESPACE: Final = uuid.UUID("6d9c5d4e-8d0f-5b1c-9a53-0d2f9a1b7c44")


def is_credit_code(text: str) -> bool:
    """Say whether `text` is a valid unified social credit code as it stands."""
    return len(text) == 18 and text == text.upper() and bool(credit_code.is_valid(text))


def credit_code_of(name: str, division: str = _SOME_DIVISION) -> str:
    """Return the unified social credit code of a local name, registered in `division`; a valid code stands for itself."""
    if is_credit_code(name):
        return name
    body = f"91{division}{_letters(name, 9, _ALPHABET)}"
    return body + str(credit_code.calc_check_digit(body))


def sme_number_of(name: str, division: str, year: int) -> str:
    """Return an SME registration number of the form of rules.md's domain facts: year, division, a letter or digit, seven digits."""
    return f"{year:04d}{division}0{_letters(name, 7, '0123456789')}"


def unknown_id(name: str) -> str:
    """Return the id of a thing that the hub never made: what a name stands for that no step has given."""
    return str(uuid.uuid5(_NAMESPACE, name))


class Names:
    """The parties of one scenario. A name that nobody declared gets a valid code that nobody registered."""

    def __init__(self) -> None:
        self._codes: dict[str, str] = {}
        self._names: dict[str, str] = {}

    def declare(self, name: str, division: str) -> str:
        """Give a party of `division` its code; raise ValueError where another name has it already (as a valid code may)."""
        code = self._codes.get(name) or credit_code_of(name, division)
        if self._names.get(code, name) != name:
            raise ValueError(f"{name!r} and {self._names[code]!r} have the same credit code {code}")
        self._codes[name], self._names[code] = code, name
        return code

    def code(self, name: str) -> str:
        """Return the credit code of a name."""
        return self._codes.get(name) or credit_code_of(name)

    def name(self, code: str) -> str:
        """Return the local name of a credit code, or the code itself."""
        return self._names.get(code, code)


def _letters(name: str, length: int, alphabet: str) -> str:
    number = int.from_bytes(hashlib.sha256(name.encode()).digest(), "big")
    letters = []
    for _ in range(length):
        number, rest = divmod(number, len(alphabet))
        letters.append(alphabet[rest])
    return "".join(letters)
