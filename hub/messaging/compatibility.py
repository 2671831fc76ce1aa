"""Whether those who know a message in an earlier form can still read it: the wire rules of protobuf, on descriptors alone.

The subset of `buf breaking` (category WIRE) that concerns messages: a field keeps its number, a type that reads the same bytes, its
cardinality and its oneof; one that goes leaves its number reserved; an enum keeps its numbers, or reserves them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from google.protobuf.descriptor import Descriptor, FileDescriptor
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

_F = FieldDescriptorProto
# Types of one group read each other's bytes. An unsigned or boolean value outside the smaller range is cut, as protobuf itself documents.
_GROUPS = (
    (_F.TYPE_INT32, _F.TYPE_INT64, _F.TYPE_UINT32, _F.TYPE_UINT64, _F.TYPE_BOOL),
    (_F.TYPE_SINT32, _F.TYPE_SINT64),
    (_F.TYPE_FIXED32, _F.TYPE_SFIXED32),
    (_F.TYPE_FIXED64, _F.TYPE_SFIXED64),
)
_GROUP = {kind: place for place, group in enumerate(_GROUPS) for kind in group}


def describe(message: Descriptor) -> bytes:
    """Return the serialised FileDescriptorSet of a message's file and all that it imports: same form, same bytes."""
    files: dict[str, FileDescriptorProto] = {}
    _gather(message.file, files)
    return FileDescriptorSet(file=[files[name] for name in sorted(files)]).SerializeToString(deterministic=True)


def _gather(file: FileDescriptor, files: dict[str, FileDescriptorProto]) -> None:
    if file.name in files:
        return
    proto = FileDescriptorProto()
    file.CopyToProto(proto)
    files[file.name] = proto
    for each in file.dependencies:
        _gather(each, files)


def problems(name: str, known: bytes, new: bytes) -> list[str]:
    """Return, each in a sentence, what those who know message `name` as in `known` could not read in `new`. Both are FileDescriptorSets."""
    before, after = _Index(known), _Index(new)
    return list(_compare(f".{name}", before, after, set()))


class _Index:
    """Messages and enums of a set by their full names, with the leading dot that references have."""

    def __init__(self, descriptors: bytes) -> None:
        self.messages: dict[str, DescriptorProto] = {}
        self.enums: dict[str, EnumDescriptorProto] = {}
        for file in FileDescriptorSet.FromString(descriptors).file:
            self._add(f".{file.package}", file.message_type, file.enum_type)

    def _add(self, scope: str, messages: Iterable[DescriptorProto], enums: Iterable[EnumDescriptorProto]) -> None:
        self.enums.update({f"{scope}.{each.name}": each for each in enums})
        for each in messages:
            self.messages[f"{scope}.{each.name}"] = each
            self._add(f"{scope}.{each.name}", each.nested_type, each.enum_type)


def _compare(name: str, before: _Index, after: _Index, seen: set[str]) -> Iterator[str]:
    if name in seen:
        return
    seen.add(name)
    if name not in after.messages:
        yield f"message {name[1:]} is gone"
        return
    old, new = before.messages[name], after.messages[name]
    fields = {field.number: field for field in new.field}
    for field in old.field:
        place = f"{name[1:]}.{field.name} = {field.number}"
        if field.number in fields:
            yield from _compare_field(place, (old, field), (new, fields[field.number]))
            yield from _compare_what_it_holds(field, before, after, seen)
        elif not any(each.start <= field.number < each.end for each in new.reserved_range):
            yield f"{place} is gone and its number not reserved"


def _compare_field(
    place: str, old: tuple[DescriptorProto, FieldDescriptorProto], new: tuple[DescriptorProto, FieldDescriptorProto]
) -> Iterator[str]:
    (_, was), (_, now) = old, new
    if not _same_bytes(was, now):
        yield f"{place} changed its type"
    if (was.label == _F.LABEL_REPEATED) != (now.label == _F.LABEL_REPEATED):
        yield f"{place} changed between one and many"
    if _oneof(*old) != _oneof(*new):
        yield f"{place} moved into or out of a oneof"


def _same_bytes(was: FieldDescriptorProto, now: FieldDescriptorProto) -> bool:
    if was.type != now.type:
        # Whoever reads bytes takes text; not the other way round, for bytes need not be text.
        text_as_bytes = (was.type, now.type) == (_F.TYPE_BYTES, _F.TYPE_STRING)
        return text_as_bytes or (was.type in _GROUP and _GROUP[was.type] == _GROUP.get(now.type))
    return was.type_name == now.type_name


def _oneof(message: DescriptorProto, field: FieldDescriptorProto) -> str:
    if field.proto3_optional or not field.HasField("oneof_index"):
        return ""
    return str(message.oneof_decl[field.oneof_index].name)


def _compare_what_it_holds(field: FieldDescriptorProto, before: _Index, after: _Index, seen: set[str]) -> Iterator[str]:
    if field.type == _F.TYPE_MESSAGE and field.type_name in before.messages:
        yield from _compare(field.type_name, before, after, seen)
    elif field.type == _F.TYPE_ENUM and field.type_name in before.enums and field.type_name not in seen:
        seen.add(field.type_name)
        yield from _compare_enum(field.type_name, before.enums, after.enums)


def _compare_enum(name: str, before: Mapping[str, EnumDescriptorProto], after: Mapping[str, EnumDescriptorProto]) -> Iterator[str]:
    if name not in after:
        yield f"enum {name[1:]} is gone"
        return
    numbers = {value.number for value in after[name].value}
    for value in before[name].value:
        reserved = any(each.start <= value.number <= each.end for each in after[name].reserved_range)
        if value.number not in numbers and not reserved:
            yield f"{name[1:]}.{value.name} = {value.number} is gone and its number not reserved"
