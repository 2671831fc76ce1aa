"""What changes from one policy to another, in plain words: one sentence a change, in Chinese and in English."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from adapters.runtime.policy_words import (
    CATEGORIES,
    CATEGORY,
    CONDITION,
    FIELDS,
    FUNDING,
    NO_LIMIT,
    RECOGNITION,
    SETS,
    Named,
    Words,
    day,
)
from hub.domain.money import FULL_BP
from yrd.common.v1 import types_pb2 as types
from yrd.policy.v1 import policy_pb2 as pb

NOTHING = Words("", "")
_IDENTITY = ("version", "effective_from")


@dataclass(frozen=True, slots=True)
class Change:
    """One change. `field` is the path in protobuf names; `kind` is rises, falls, changes, added or removed.

    `old` and `new` are what was and will be in English words, empty where there was or will be nothing.
    """

    field: str
    kind: str
    old: str
    new: str
    zh: str
    en: str

    def as_dict(self) -> dict[str, str]:
        """The change as plain data."""
        return asdict(self)


def diff(old: pb.Policy, new: pb.Policy) -> list[Change]:
    """Return what `new` changes, in the order of the contract's fields, each dated with the day on which `new` takes effect.

    A field left out and its default written out are the same; so are lists of choices in another order. That `new` has a version and a
    first day of its own is no change; where everything else is equal the list is empty, unless the first day itself moved within one
    version.
    """
    when = _When(new.effective_from)
    found: list[Change] = []
    for field in pb.Policy.DESCRIPTOR.fields:
        name = field.name
        if name in _IDENTITY:
            if old.version == new.version and name == "effective_from":
                found.extend(_one(name, FIELDS[name], old, new, _When("")))
        elif name == "effective_until":
            found.extend(_one(name, FIELDS[name], old, new, _When("")))
        elif name in FIELDS:
            found.extend(_one(name, FIELDS[name], old, new, when))
        else:
            found.extend(_COMPOUND[name](old, new, when))
    return found


@dataclass(frozen=True, slots=True)
class _When:
    """The day a change takes effect, to be put into its sentence."""

    date: str

    @property
    def zh(self) -> str:
        return f"自{day(self.date).zh}起" if self.date else ""

    @property
    def en(self) -> str:
        return f" on {day(self.date).en}" if self.date else ""


def _value(named: Named, message: Any, name: str) -> Any:
    """Return what a field means: None where it may be absent and is, its default where it is left out."""
    if named.optional and not message.HasField(name):
        return None
    value = getattr(message, name)
    return named.default if not value and named.default is not None else value


def _one(name: str, named: Named, old: Any, new: Any, when: _When, path: str = "", of: Words | None = None) -> Iterator[Change]:
    """Yield the change of a field of one value. `of` names what the field belongs to, such as a category."""
    before, after = _value(named, old, name), _value(named, new, name)
    if before == after:
        return
    was, will = (NO_LIMIT if value is None else named.say(value) for value in (before, after))
    kind = "changes"
    # Where nothing has a word of its own (no denomination: any amount), coming from it or to it is neither rise nor fall.
    if named.kind == "number" and None not in (before, after) and (named.say(0).en[0].isdigit() or before * after > 0):
        kind = "rises" if after > before else "falls"
    zh_verb = {"rises": "提高至", "falls": "降至", "changes": "改为"}[kind]
    title = Words(f"{of.zh}{named.words.zh}", f"{named.words.en} for {of.en}") if of else named.words
    was_en = was.en.removesuffix(" yuan") if will.en.endswith(" yuan") and kind != "changes" else was.en
    yield Change(
        path or name,
        kind,
        was.en,
        will.en,
        f"{title.zh}{when.zh}由{was.zh}{zh_verb}{will.zh}",
        f"{title.en} {kind} from {was_en} to {will.en}{when.en}",
    )


def _sets(name: str, old: pb.Policy, new: pb.Policy, when: _When) -> Iterator[Change]:
    words, choices, default = SETS[name]
    before, after = (list(dict.fromkeys(getattr(policy, name))) or list(default) for policy in (old, new))
    for item in choices:
        if (item in before) != (item in after):
            yield _listed(name, words, choices[item], when, added=item in after)


def _listed(path: str, title: Words, item: Words, when: _When, *, added: bool, more: Words = NOTHING) -> Change:
    """Return that something comes to a list or leaves it. `more` says with what."""
    kind = "added" if added else "removed"
    zh, en = f"{title.zh}{when.zh}{'增加' if added else '取消'}{item.zh}", f"{title.en}: {item.en} {kind}{when.en}"
    told = f"{item.en}{more.en}"
    return Change(path, kind, "" if added else told, told if added else "", zh + more.zh, en + more.en)


def _categories(old: pb.Policy, new: pb.Policy, when: _When) -> Iterator[Change]:
    before, after = ({rule.category: rule for rule in policy.categories} for policy in (old, new))
    for category in CATEGORIES:
        was, will = before.get(category), after.get(category)
        if was is None and will is None:
            continue
        path = f"categories[{_name(category)}]"
        if was is not None and will is not None:
            for name, named in CATEGORY.items():
                yield from _one(name, named, was, will, when, f"{path}.{name}", CATEGORIES[category])
        else:
            rule = will or was
            cap = _value(CATEGORY["per_line_cap_fen"], rule, "per_line_cap_fen")
            share = CATEGORY["ratio_bp"].say(rule.ratio_bp if rule else 0)
            limit = NO_LIMIT if cap is None else CATEGORY["per_line_cap_fen"].say(cap)
            more = Words(f"(补贴比例{share.zh},单项上限{limit.zh})", f" (share {share.en}, cap per line {limit.en})")
            yield _listed(path, Words("支持类别", "covered categories"), CATEGORIES[category], when, added=was is None, more=more)


def _name(category: int) -> str:
    return CATEGORY_NAMES[category]


CATEGORY_NAMES: Mapping[int, str] = {number: name.removeprefix("CATEGORY_") for name, number in types.Category.items()}


def _recognition(old: pb.Policy, new: pb.Policy, when: _When) -> Iterator[Change]:
    for name, named in RECOGNITION.items():
        yield from _one(name, named, old.recognition, new.recognition, when, f"recognition.{name}")


def _funding(old: pb.Policy, new: pb.Policy, when: _When) -> Iterator[Change]:
    before, after = ({share.division: share.share_bp for share in policy.funding} or {policy.issuer: FULL_BP} for policy in (old, new))
    for division in dict.fromkeys((*before, *after)):
        was, will = (pb.FundingShare(division=division, share_bp=shares.get(division, 0)) for shares in (before, after))
        of = Words(f"{FUNDING['division'].words.zh}{division}", f"{FUNDING['division'].words.en} {division}")
        yield from _one("share_bp", FUNDING["share_bp"], was, will, when, f"funding[{division}].share_bp", of)


def _conditions(old: pb.Policy, new: pb.Policy, when: _When) -> Iterator[Change]:
    before, after = ({item.id: item for item in policy.conditions} for policy in (old, new))
    for key in dict.fromkeys((*before, *after)):
        was, will = before.get(key), after.get(key)
        of = Words(f"条件“{key}”", f"condition “{key}”")
        if was is not None and will is not None:
            for name, named in CONDITION.items():
                yield from _one(name, named, was, will, when, f"conditions[{key}].{name}", of)
        else:
            item = will or was
            cel, zh, en = (item.cel, item.zh, item.en) if item else ("", "", "")
            more = Words(f":{zh or cel}({cel})", f": {en or cel} ({cel})")
            yield _listed(f"conditions[{key}]", Words("附加条件", "conditions"), of, when, added=was is None, more=more)


_COMPOUND: dict[str, Callable[[pb.Policy, pb.Policy, _When], Iterator[Change]]] = {
    "categories": _categories,
    "recognition": _recognition,
    "funding": _funding,
    "conditions": _conditions,
    "eligible": lambda old, new, when: _sets("eligible", old, new, when),
    "evidence": lambda old, new, when: _sets("evidence", old, new, when),
}
"""How fields of several values differ, by protobuf name."""
