"""Who may call which RPC: read from the method options of the contract, so that code and contract cannot drift apart."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor

import yrd
from hub.domain.caller import Role
from yrd.common.v1 import access_pb2


@dataclass(frozen=True, slots=True)
class Access:
    """Access rule of one RPC. An empty `roles` admits nobody."""

    scope: str
    roles: frozenset[Role]
    mutation: bool


_ROLES = {access_pb2.ROLE_PLATFORM: Role.PLATFORM, access_pb2.ROLE_COORDINATOR: Role.COORDINATOR, access_pb2.ROLE_PROVIDER: Role.PROVIDER}


def access_of(method: MethodDescriptor) -> Access | None:
    """Return the rule of a method, or None where it declares none (such a method must not be served)."""
    options = method.GetOptions()
    if not options.HasExtension(access_pb2.access):
        return None
    rule = options.Extensions[access_pb2.access]
    return Access(rule.scope, frozenset(_ROLES[role] for role in rule.roles), rule.mutation)


def contract_services() -> Iterator[ServiceDescriptor]:
    """Yield every service of the `yrd.*.v1` packages."""
    for module in pkgutil.walk_packages(yrd.__path__, "yrd."):
        if module.name.endswith("_pb2"):
            yield from importlib.import_module(module.name).DESCRIPTOR.services_by_name.values()


@cache
def access_rules() -> MappingProxyType[str, Access]:
    """Return the rules by gRPC path (`/yrd.clearing.v1.ClearingService/Authorize`). Raises ValueError for a method without one."""
    rules: dict[str, Access] = {}
    for service in contract_services():
        for method in service.methods:
            rule = access_of(method)
            if rule is None or not rule.scope or not rule.roles:
                raise ValueError(f"{method.full_name} declares no access rule")
            rules[f"/{service.full_name}/{method.name}"] = rule
    return MappingProxyType(rules)


@cache
def scopes_of(role: Role) -> frozenset[str]:
    """Return every scope that some method open to `role` asks for."""
    return frozenset(rule.scope for rule in access_rules().values() if role in rule.roles)


@cache
def all_scopes() -> frozenset[str]:
    """Return every scope of the contract."""
    return frozenset(rule.scope for rule in access_rules().values())
