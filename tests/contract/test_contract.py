"""The protobuf contract's own rules: access on every RPC, a request id on every mutation, and a catalogue without gaps."""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor, FileDescriptor, MethodDescriptor

import yrd
from hub.domain.refusals import CATALOGUE, RefusalCode
from yrd.common.v1 import access_pb2, refusal_pb2

PROTO = Path(__file__).parents[2] / "proto"
SCOPE = re.compile(r"^[a-z]+\.[a-z]+$")
PREFIX = "REFUSAL_CODE_"


def contract_files() -> Iterator[FileDescriptor]:
    for module in pkgutil.walk_packages(yrd.__path__, "yrd."):
        if module.name.endswith("_pb2"):
            yield importlib.import_module(module.name).DESCRIPTOR


FILES = list(contract_files())
METHODS: list[MethodDescriptor] = [
    method for file in FILES for service in file.services_by_name.values() for method in service.methods_by_name.values()
]


def access_of(method: MethodDescriptor) -> access_pb2.AccessRule:
    rule: access_pb2.AccessRule = method.GetOptions().Extensions[access_pb2.access]
    return rule


every_method = pytest.mark.parametrize("method", METHODS, ids=lambda method: method.full_name)


def test_the_whole_contract_is_looked_at() -> None:
    sources = {path: path.read_text(encoding="utf-8") for path in PROTO.rglob("yrd/**/*.proto")}
    assert {path.relative_to(PROTO).as_posix() for path in sources} == {file.name for file in FILES}
    assert len(METHODS) == sum(len(re.findall(r"^ +rpc ", text, re.MULTILINE)) for text in sources.values()) > 0


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_package_is_a_versioned_context_in_its_own_folder(file: FileDescriptor) -> None:
    assert re.fullmatch(r"yrd\.[a-z]+\.v1", file.package)
    assert file.name.rsplit("/", 1)[0] == file.package.replace(".", "/")


@every_method
def test_every_rpc_declares_scope_and_roles(method: MethodDescriptor) -> None:
    assert method.GetOptions().HasExtension(access_pb2.access)
    rule = access_of(method)
    assert SCOPE.match(rule.scope)
    assert rule.roles
    assert access_pb2.ROLE_UNSPECIFIED not in rule.roles
    assert len(set(rule.roles)) == len(rule.roles)


@every_method
def test_mutations_and_only_they_begin_with_a_request_id(method: MethodDescriptor) -> None:
    if access_of(method).mutation:
        for command in commands_of(method):
            field = command.fields_by_name["request_id"]
            assert (field.number, field.type) == (1, FieldDescriptor.TYPE_STRING)
            assert not field.is_repeated
    else:
        assert "request_id" not in method.input_type.fields_by_name


def commands_of(method: MethodDescriptor) -> list[Descriptor]:
    """What is idempotent under a request id: the request, or, since a stream is many commands, each kind that its messages hold."""
    if not method.client_streaming:
        return [method.input_type]
    (choice,) = method.input_type.oneofs
    commands = [field.message_type for field in choice.fields if field.message_type is not None]
    assert len(commands) == len(choice.fields) > 0
    return commands


@every_method
def test_request_and_response_belong_to_one_rpc(method: MethodDescriptor) -> None:
    assert method.input_type.name == f"{method.name}Request"
    assert method.output_type.name == f"{method.name}Response"
    assert method.server_streaming or not method.client_streaming


def test_amounts_are_int64_and_named_for_their_unit() -> None:
    messages = [message for file in FILES for message in file.message_types_by_name.values()]
    fields = [field for message in messages for field in message.fields]
    assert [field.full_name for field in fields if field.type in (FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT)] == []
    fen = [field for field in fields if field.name.endswith("_fen")]
    assert len(fen) > 30
    assert [field.full_name for field in fen if field.type != FieldDescriptor.TYPE_INT64] == []


def contract_codes() -> set[str]:
    return {name.removeprefix(PREFIX) for name, number in refusal_pb2.RefusalCode.items() if number != 0}


def test_refusal_codes_agree_with_the_contract() -> None:
    assert {code.name for code in RefusalCode} == contract_codes()
    assert all(code.value == code.name for code in RefusalCode)


@pytest.mark.parametrize("name", sorted(contract_codes()))
def test_every_refusal_code_is_in_the_catalogue(name: str) -> None:
    entry = CATALOGUE[RefusalCode[name]]
    assert grpc.StatusCode[entry.grpc_status] not in (grpc.StatusCode.OK, grpc.StatusCode.UNKNOWN, grpc.StatusCode.INTERNAL)
    assert 400 <= entry.http_status <= 599
    for chinese in (entry.zh, entry.remedy_zh):
        assert re.search(r"[\u4e00-\u9fff]", chinese)
    for english in (entry.en, entry.remedy_en):
        assert re.search(r"[A-Za-z]{2}", english)
        assert not re.search(r"[\u4e00-\u9fff]", english)


def test_no_two_codes_share_a_text() -> None:
    assert len({entry.zh for entry in CATALOGUE.values()}) == len(CATALOGUE)
    assert len({entry.en for entry in CATALOGUE.values()}) == len(CATALOGUE)
