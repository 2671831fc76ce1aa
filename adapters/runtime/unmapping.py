"""The way back: a command said again in a province's own fields. What the native form cannot carry is refused, never bent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from adapters.runtime.codes import Codes
from adapters.runtime.model import Broken, Kind, Mapped, NativeRecord
from yrd.clearing.v1 import clearing_pb2 as clearing
from yrd.common.v1 import types_pb2 as types

Build = Callable[[Mapped], Mapping[str, str]]
"""Writes one kind of command in native fields; raises ValueError or KeyError for what has no native word."""

Unmap = Callable[[Kind, Mapped], Mapping[str, str]]


def unmapping_of(builders: Mapping[Kind, Build], map_record: Callable[[NativeRecord], Mapped | Broken], file: str, id_field: str) -> Unmap:
    """Return the province's `unmap`: it writes a command with the builder of its kind and reads it back at once.

    That the reading must give the very same command is what makes it safe: a name the format would cut, an amount it would round, a
    field it has no place for raises ValueError. `file` is a name under which the province may speak of all its divisions.
    """

    def unmap(kind: Kind, mapped: Mapped) -> Mapping[str, str]:
        if kind not in builders:
            raise ValueError(f"the province has no form for {kind}")
        try:
            fields = builders[kind](mapped)
        except KeyError as error:
            raise ValueError(str(error.args[0])) from None
        back = map_record(NativeRecord(file, "1", kind, mapped.native_id, fields, id_field))
        if isinstance(back, Broken):
            raise ValueError(f"{back.field}: {back.reason_en}")
        if back != mapped:
            raise ValueError(f"{kind} {mapped.native_id}: holds something that the native form has no place for")
        return fields

    return unmap


def listed(name: str, texts: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the native fields of a list of texts: `name[0]`, `name[1]`…"""
    for at, text in enumerate(texts):
        yield f"{name}[{at}]", text


def category_out(codes: Codes, value: types.Category.ValueType) -> str:
    """Return the native word of a category; raise KeyError where there is none."""
    return codes.outward("category", types.Category.Name(value).removeprefix("CATEGORY_"))


def enterprise_kind_out(codes: Codes, value: types.EnterpriseKind.ValueType) -> str:
    """Return the native word of an enterprise's kind; raise KeyError where there is none."""
    return codes.outward("enterprise_kind", types.EnterpriseKind.Name(value).removeprefix("ENTERPRISE_KIND_"))


def flags_out(codes: Codes, line: clearing.OrderLine) -> list[str]:
    """Return the native words of a line's flags; raise KeyError where there is none."""
    return [codes.outward("flag", types.LineFlag.Name(flag).removeprefix("LINE_FLAG_")) for flag in line.flags]


def evidence_out(codes: Codes, piece: clearing.Evidence) -> str:
    """Return the native word of a piece of evidence's kind; raise KeyError where there is none."""
    return codes.outward("evidence", types.EvidenceKind.Name(piece.kind).removeprefix("EVIDENCE_KIND_"))
