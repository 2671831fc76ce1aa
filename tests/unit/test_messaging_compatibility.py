"""What those who know a message in an earlier form can read, and what they cannot."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Field
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet

from hub.messaging.compatibility import describe, problems
from yrd.events.v1 import events_pb2

NAME = "a.v1.Told"


def file() -> FileDescriptorProto:
    """A message with a scalar, a text, a nested message, an enum, a list and a choice."""
    made = FileDescriptorProto(name="a.proto", package="a.v1", syntax="proto3")
    state = made.enum_type.add(name="State")
    for name, number in (("STATE_UNSPECIFIED", 0), ("STATE_OPEN", 1), ("STATE_SHUT", 2)):
        state.value.add(name=name, number=number)
    inner = made.message_type.add(name="Inner")
    inner.field.add(name="amount_fen", number=1, type=Field.TYPE_INT64, label=Field.LABEL_OPTIONAL)
    told = made.message_type.add(name="Told")
    told.oneof_decl.add(name="choice")
    for name, number, kind, more in (
        ("count", 1, Field.TYPE_INT32, {}),
        ("text", 2, Field.TYPE_STRING, {}),
        ("inner", 3, Field.TYPE_MESSAGE, {"type_name": ".a.v1.Inner"}),
        ("state", 4, Field.TYPE_ENUM, {"type_name": ".a.v1.State"}),
        ("parts", 5, Field.TYPE_BYTES, {"label": Field.LABEL_REPEATED}),
        ("left", 6, Field.TYPE_STRING, {"oneof_index": 0}),
        ("right", 7, Field.TYPE_STRING, {"oneof_index": 0}),
        ("self", 8, Field.TYPE_MESSAGE, {"type_name": ".a.v1.Told"}),
    ):
        told.field.add(**{"name": name, "number": number, "type": kind, "label": Field.LABEL_OPTIONAL, **more})
    return made


def changed(change: Callable[[FileDescriptorProto], object]) -> list[str]:
    new = file()
    change(new)
    return problems(NAME, FileDescriptorSet(file=[file()]).SerializeToString(), FileDescriptorSet(file=[new]).SerializeToString())


def told(made: FileDescriptorProto, number: int) -> Field:
    return next(field for field in made.message_type[1].field if field.number == number)


def gone(number: int, *, reserve: bool) -> Callable[[FileDescriptorProto], object]:
    def change(made: FileDescriptorProto) -> None:
        made.message_type[1].field.remove(told(made, number))
        if reserve:
            made.message_type[1].reserved_range.add(start=number, end=number + 1)

    return change


def shut_gone(made: FileDescriptorProto, *, reserve: bool) -> None:
    del made.enum_type[0].value[2]
    if reserve:
        made.enum_type[0].reserved_range.add(start=2, end=2)


@pytest.mark.parametrize(
    "change",
    [
        lambda made: None,
        lambda made: made.message_type[1].field.add(name="new", number=20, type=Field.TYPE_STRING, label=Field.LABEL_OPTIONAL),
        lambda made: made.enum_type[0].value.add(name="STATE_LOST", number=3),
        lambda made: setattr(told(made, 1), "name", "renamed"),
        lambda made: setattr(told(made, 1), "type", Field.TYPE_INT64),
        lambda made: setattr(told(made, 5), "type", Field.TYPE_STRING),
        gone(2, reserve=True),
        lambda made: shut_gone(made, reserve=True),
    ],
    ids=["nothing", "a field more", "a value more", "renamed", "wider", "bytes become text", "gone, reserved", "value gone, reserved"],
)
def test_what_can_still_be_read(change: Callable[[FileDescriptorProto], object]) -> None:
    assert changed(change) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (gone(2, reserve=False), "a.v1.Told.text = 2 is gone and its number not reserved"),
        (lambda made: setattr(told(made, 2), "type", Field.TYPE_BYTES), "a.v1.Told.text = 2 changed its type"),
        (lambda made: setattr(told(made, 1), "type", Field.TYPE_SINT32), "a.v1.Told.count = 1 changed its type"),
        (lambda made: setattr(told(made, 1), "type", Field.TYPE_FIXED32), "a.v1.Told.count = 1 changed its type"),
        (lambda made: setattr(told(made, 1), "label", Field.LABEL_REPEATED), "a.v1.Told.count = 1 changed between one and many"),
        (lambda made: told(made, 6).ClearField("oneof_index"), "a.v1.Told.left = 6 moved into or out of a oneof"),
        (lambda made: setattr(told(made, 2), "oneof_index", 0), "a.v1.Told.text = 2 moved into or out of a oneof"),
        (lambda made: setattr(told(made, 3), "type_name", ".a.v1.Told"), "a.v1.Told.inner = 3 changed its type"),
        (lambda made: made.message_type[0].field.pop(), "a.v1.Inner.amount_fen = 1 is gone and its number not reserved"),
        (lambda made: shut_gone(made, reserve=False), "a.v1.State.STATE_SHUT = 2 is gone and its number not reserved"),
        (lambda made: made.message_type.pop(), "message a.v1.Told is gone"),
    ],
)
def test_what_can_not(change: Callable[[FileDescriptorProto], object], problem: str) -> None:
    assert problem in changed(change)


def test_a_form_is_described_with_all_it_imports_and_always_alike() -> None:
    message = events_pb2.RedemptionChanged.DESCRIPTOR
    form = describe(message)
    names = [each.name for each in FileDescriptorSet.FromString(form).file]
    assert names == sorted(set(names)) and "yrd/clearing/v1/clearing.proto" in names
    assert describe(message) == form
    assert problems(message.full_name, form, form) == []
