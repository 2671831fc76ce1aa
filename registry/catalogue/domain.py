"""What an entry of the catalogue is, who may change it, and which state it stands for. Pure."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from hub.domain.caller import Caller, Role
from hub.domain.policy import Category
from hub.domain.refusals import Refusal, RefusalCode, Violation, invalid_state, not_permitted


class Kind(StrEnum):
    """What an entry is."""

    SERVICE = "SERVICE"
    INSTRUMENT = "INSTRUMENT"
    EXPERT = "EXPERT"
    LITERATURE = "LITERATURE"
    DATA = "DATA"


class PriceModel(StrEnum):
    """How an entry is priced."""

    FIXED = "FIXED"
    PER_UNIT = "PER_UNIT"
    RANGE = "RANGE"
    QUOTATION = "QUOTATION"


class EntryState(StrEnum):
    """State of an entry."""

    ACTIVE = "ACTIVE"
    RETIRED = "RETIRED"
    MERGED = "MERGED"


CATEGORY_OF_KIND = {
    Kind.INSTRUMENT: Category.INSTRUMENT,
    Kind.EXPERT: Category.CONSULTING,
    Kind.LITERATURE: Category.LITERATURE,
    Kind.DATA: Category.DATA,
}
"""The category (rules.md S1) of an entry that names none. A service always names its own."""


@dataclass(frozen=True, slots=True)
class Price:
    """How an entry is priced, amounts in fen; none of them on quotation."""

    model: PriceModel = PriceModel.QUOTATION
    unit: str = ""
    from_fen: int | None = None
    to_fen: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """What an entry says. Texts that do not apply to its kind are empty, numbers None; amounts are fen."""

    provider: str
    kind: Kind
    code: str
    name: str
    category: Category
    description: str = ""
    keywords: tuple[str, ...] = ()
    price: Price = Price()
    delivery_days: int | None = None
    model: str = ""
    maker: str = ""
    serial_no: str = ""
    original_value: int | None = None
    institution: str = ""
    owner: str = ""
    place: str = ""
    hours_per_year: int | None = None
    open_since: date | None = None
    title: str = ""
    source: str = ""
    link: str = ""

    @property
    def key(self) -> tuple[str, str, str]:
        """What an entry is known by, whichever way it arrives: provider, kind and the provider's own code."""
        return self.provider, self.kind.value, self.code

    def content(self) -> dict[str, Any]:
        """Return the entry by its columns, as plain values."""
        values = asdict(self)
        price = values.pop("price")
        values |= {"price_model": price["model"].value, "unit": price["unit"], "price_from": price["from_fen"], "price_to": price["to_fen"]}
        values["kind"], values["category"] = self.kind.value, self.category.value
        values["keywords"] = list(self.keywords)
        values["open_since"] = self.open_since.isoformat() if self.open_since else None
        return values


def digest_of(content: dict[str, Any]) -> bytes:
    """Return what identifies the content of an entry: the same content, the same digest."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).digest()


def etag_of(version: int, state: EntryState, digest: bytes) -> str:
    """Return the tag that stands for exactly one state of an entry (AIP-154)."""
    return f"{version}-{state.value[0]}-{digest[:8].hex()}"


def kept_content(content: dict[str, Any]) -> dict[str, Any]:
    """Return what the history keeps of an entry: everything, but for the name of an expert, which is personal data.

    A person's name then stands in one place only, and goes from there when the entry is retired.
    """
    return {**content, "name": ""} if content["kind"] == Kind.EXPERT.value else content


def answers_for(caller: Caller, provider: str, home: str) -> bool:
    """Say whether a caller speaks for a provider: the provider itself, or its home's platform."""
    itself = caller.role is Role.PROVIDER and caller.participant_id.endswith(f"/provider-{provider}")
    return itself or caller.acts_for(home)


def may_change(caller: Caller, provider: str, home: str) -> Refusal | None:
    """A provider's entries are its own: it changes them, or its home's platform does."""
    if answers_for(caller, provider, home):
        return None
    return not_permitted("仅服务机构本身或其所在地平台可以变更条目", "only the provider itself or its home's platform changes its entries")


def hidden(caller: Caller, kind: Kind, state: EntryState) -> bool:
    """Say whether an entry is none of the caller's business: the public sees what is in force, and no experts, who are persons."""
    return caller.role is Role.PUBLIC and (kind is Kind.EXPERT or state is not EntryState.ACTIVE)


def may_see_history(caller: Caller, provider: str, home: str) -> Refusal | None:
    """What is in force is open to all; what was is for those who answer for it and for the coordination group."""
    if caller.role is Role.COORDINATOR or answers_for(caller, provider, home):
        return None
    return not_permitted(
        "仅服务机构本身、其所在地平台或协调组可以查看历史",
        "only the provider itself, its home's platform or the coordination group sees what is no longer in force",
    )


def change_refused(state: EntryState, merged_into: int | None, current: str, sent: str) -> Refusal | None:
    """A merged entry is changed where it was merged into; one that is another by now than the caller believes is not changed at all."""
    if state is EntryState.MERGED:
        return invalid_state(f"该条目已并入 {merged_into},请变更该条目", f"the entry was merged into {merged_into}; change that one")
    if sent and sent != current:
        return Refusal(RefusalCode.ENTRY_CHANGED, metadata=(("etag", current),))
    return None


def retirement_refused(state: EntryState) -> Refusal | None:
    """Only an entry in force can be retired."""
    return None if state is EntryState.ACTIVE else invalid_state("该条目已下架", "the entry is retired already")


_MOBILE = re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)")
_IDENTITY = re.compile(r"(?<!\d)[1-9]\d{5}(?:19|20)\d{2}(?:0[1-9]|1[0-2])\d{5}[\dXx](?![\dA-Za-z])")
_MAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+")


def personal_data(entry: Entry) -> Iterator[Violation]:
    """Yield where an expert's entry carries what identifies or reaches a person beyond name, title and field of work.

    The pool needs no more than these: whoever wants an expert asks the provider (个人信息保护法 第六条: the least that the purpose needs).
    """
    if entry.kind is not Kind.EXPERT:
        return
    texts = {
        "name": entry.name,
        "code": entry.code,
        "description": entry.description,
        "title": entry.title,
        "keywords": " ".join(entry.keywords),
    }
    for field, text in texts.items():
        if any(pattern.search(text) for pattern in (_MOBILE, _IDENTITY, _MAIL)):
            yield Violation(
                field, "must hold no telephone number, identity number or e-mail address of a person; the provider is asked instead"
            )
