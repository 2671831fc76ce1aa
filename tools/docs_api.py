"""docs/api.md: services, methods, messages and enums with their comments, from the contract in proto/."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)
from grpc_tools import protoc

from yrd.common.v1 import access_pb2

ROOT = Path(__file__).resolve().parent.parent / "proto"

HEAD = """# API reference

The gRPC contract, from `proto/yrd`. **Scope** is what the access token must carry, **roles** who may call, **mutation** says that
the request carries a `request_id` and has one effect however often it is sent (I1). Amounts end in `_fen`, ratios in `_bp`; dates are
`YYYY-MM-DD` of Asia/Shanghai. Field numbers are in brackets. A field marked *optional* knows absent from zero; all others have their
type's zero where they are absent. What may go wrong: [refusals.md](refusals.md). How to call:
[integration/platforms.md](integration/platforms.md).
"""

_Comments = dict[tuple[int, ...], str]
_SERVICE, _MESSAGE, _ENUM, _EXTENSION = 6, 4, 5, 7
_FIELD, _NESTED, _NESTED_ENUM, _VALUE, _METHOD = 2, 3, 4, 2, 2


def render() -> str:
    parsed = _parse()
    parts = [HEAD]
    with_services = [file for file in parsed if file.service]
    parts.append("\n## Services\n\n| service | method | scope | roles | mutation | what it does |\n|---|---|---|---|---|---|\n")
    parts += [row for file in with_services for row in _overview(file)]
    parts += [part for file in parsed for part in _file(file)]
    return "".join(parts)


def _parse() -> list[FileDescriptorProto]:
    names = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "yrd").rglob("*.proto"))
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "contract.binpb"
        includes = [f"-I{ROOT}", f"-I{files('grpc_tools') / '_proto'}"]
        if protoc.main(["protoc", *includes, "--include_source_info", f"--descriptor_set_out={out}", *names]) != 0:
            raise SystemExit("the contract does not compile")
        return list(FileDescriptorSet.FromString(out.read_bytes()).file)


def _comments(file: FileDescriptorProto) -> _Comments:
    return {tuple(item.path): " ".join(item.leading_comments.split()) for item in file.source_code_info.location if item.leading_comments}


def _anchor(name: str) -> str:
    return name.lstrip(".")


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _overview(file: FileDescriptorProto) -> Iterator[str]:
    comments = _comments(file)
    for i, service in enumerate(file.service):
        for j, method in enumerate(service.method):
            rule = method.options.Extensions[access_pb2.access]
            roles = ", ".join(access_pb2.Role.Name(role).removeprefix("ROLE_").lower() for role in rule.roles)
            full = f"{file.package}.{service.name}"
            what = _cell(comments.get((_SERVICE, i, _METHOD, j), ""))
            yield (
                f"| [{service.name}](#{full}) | `{method.name}` | `{rule.scope}` | {roles} | {'yes' if rule.mutation else ''} | {what} |\n"
            )


def _file(file: FileDescriptorProto) -> Iterator[str]:
    comments = _comments(file)
    # A package's own comment stands above its `package` line; the syntax line takes the file's first.
    about = comments.get((2,)) or comments.get((12,), "")
    yield f"\n## {file.name}\n\nPackage `{file.package}`. {about}\n"
    for i, service in enumerate(file.service):
        yield from _service(file.package, service, comments, (_SERVICE, i))
    for i, message in enumerate(file.message_type):
        yield from _message(file.package, message, comments, (_MESSAGE, i))
    for i, enum in enumerate(file.enum_type):
        yield from _enum(file.package, enum, comments, (_ENUM, i))
    for i, extension in enumerate(file.extension):
        yield f"\nExtension of `{_anchor(extension.extendee)}`: `{extension.name}` [{extension.number}], {_type(extension)}. "
        yield comments.get((_EXTENSION, i), "") + "\n"


def _service(package: str, service: ServiceDescriptorProto, comments: _Comments, path: tuple[int, ...]) -> Iterator[str]:
    full = f"{package}.{service.name}"
    yield f'\n### <a id="{full}"></a>{full}\n\n{comments.get(path, "")}\n\n| method | request | response |\n|---|---|---|\n'
    for method in service.method:
        yield f"| `{method.name}` | {_link(method.input_type)} | {_link(method.output_type)} |\n"


def _message(package: str, message: DescriptorProto, comments: _Comments, path: tuple[int, ...]) -> Iterator[str]:
    full = f"{package}.{message.name}"
    yield f'\n### <a id="{full}"></a>{message.name}\n\n{comments.get(path, "")}\n'
    if message.field:
        yield "\n| field | type | meaning |\n|---|---|---|\n"
    for j, field in enumerate(message.field):
        meaning = _cell(comments.get((*path, _FIELD, j), ""))
        yield f"| `{field.name}` [{field.number}] | {_type(field)}{_oneof(message, field)} | {meaning} |\n"
    for j, nested in enumerate(message.nested_type):
        yield from _message(full, nested, comments, (*path, _NESTED, j))
    for j, enum in enumerate(message.enum_type):
        yield from _enum(full, enum, comments, (*path, _NESTED_ENUM, j))


def _oneof(message: DescriptorProto, field: FieldDescriptorProto) -> str:
    if field.proto3_optional:
        return ", optional"
    return f", one of `{message.oneof_decl[field.oneof_index].name}`" if field.HasField("oneof_index") else ""


def _type(field: FieldDescriptorProto) -> str:
    scalar = FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
    name = _link(field.type_name) if field.type_name else scalar
    return f"repeated {name}" if field.label == FieldDescriptorProto.LABEL_REPEATED else name


def _link(type_name: str) -> str:
    name = _anchor(type_name)
    return f"[{name.rpartition('.')[2]}](#{name})" if name.startswith("yrd.") else f"`{name}`"


def _enum(package: str, enum: EnumDescriptorProto, comments: _Comments, path: tuple[int, ...]) -> Iterator[str]:
    full = f"{package}.{enum.name}"
    yield f'\n### <a id="{full}"></a>{enum.name}\n\n{comments.get(path, "")}\n\n| value | number | meaning |\n|---|---:|---|\n'
    for j, value in enumerate(enum.value):
        yield f"| `{value.name}` | {value.number} | {_cell(comments.get((*path, _VALUE, j), ''))} |\n"
