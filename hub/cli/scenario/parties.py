"""The lists of a scenario: policies, providers, recognitions, enterprises, vouchers → messages of the contract."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from google.protobuf.json_format import ParseDict

from adapters.runtime.policy_faults import FieldFault
from adapters.runtime.policy_fields import Field, day, division, fen, named, one_of, rating, record, several, text, whole, yes
from adapters.runtime.policy_file import PolicyFileError, policy_from_mapping
from hub.cli.scenario.model import Node, Scenario, ScenarioError, Value, VoucherIssue
from hub.cli.scenario.names import Names, sme_number_of
from yrd.common.v1 import types_pb2 as types
from yrd.participant.v1 import participant_pb2
from yrd.registry.v1 import registry_pb2
from yrd.voucher.v1 import voucher_pb2

_PROVIDER: Final = {
    "id": Field("id", named, required=True),
    "name": Field("name", text),
    "home": Field("home", division, required=True),
    "categories": Field("categories", several(one_of(types.Category.keys(), "CATEGORY_"))),
    "admitted": Field("admitted_on", day, required=True),
    "rating": Field("rating", rating),
}
_ENTERPRISE: Final = {
    "id": Field("id", named, required=True),
    "name": Field("name", text),
    "division": Field("division", division, required=True),
    "kind": Field("kind", one_of(types.EnterpriseKind.keys(), "ENTERPRISE_KIND_"), required=True),
    "sme_no": Field("sme_no", text),
    "staff": Field("staff", whole),
}
_RECOGNITION: Final = {
    "issuer": Field("issuer", division, required=True),
    "provider": Field("provider", named, required=True),
    "from": Field("valid_from", day, required=True),
    "until": Field("valid_until", day),
    "agreement": Field("agreement", yes),
}
_VOUCHERS: Final = {
    "issuer": Field("issuer", division, required=True),
    "enterprise": Field("enterprise", named, required=True),
    "face": Field("face_fen", fen, required=True),
    "count": Field("count", whole),
    "issued": Field("issued_on", day),
    "ids": Field("voucher_nos", several(named)),
}

Entries = Sequence[tuple[Path, Value]]


def read_all(lists: Mapping[str, Entries], scenario: Scenario, names: Names) -> None:
    """Fill the scenario's lists and declare its parties; raise ScenarioError naming file, line and field of the first fault."""
    _each(lists["policies"], lambda entry: scenario.policies.append(policy_from_mapping(entry)))
    _each(lists["providers"], lambda entry: _provider(entry, scenario, names))
    _each(lists["enterprises"], lambda entry: _enterprise(entry, scenario, names))
    _each(lists["recognitions"], lambda entry: scenario.recognitions.append(recognition(entry, names)))
    _each(lists["vouchers"], lambda entry: scenario.vouchers.append(vouchers(entry, names)))


def recognition(entry: Mapping[str, Value], names: Names) -> registry_pb2.Recognition:
    """Return a recognition; raise FieldFault."""
    fields = record(_RECOGNITION)(entry)
    return ParseDict({**fields, "provider": names.code(str(fields["provider"]))}, registry_pb2.Recognition())


def vouchers(entry: Mapping[str, Value], names: Names) -> VoucherIssue:
    """Return notes to be issued, as many as there are ids where no count is given; raise FieldFault."""
    fields = record(_VOUCHERS)(entry)
    issuer, enterprise, issued_on = str(fields.pop("issuer")), str(fields.pop("enterprise")), str(fields.pop("issued_on", ""))
    item = ParseDict({**fields, "enterprise": names.code(enterprise)}, voucher_pb2.IssueItem())
    if not item.count:
        item.count = len(item.voucher_nos) or 1
    return VoucherIssue(issuer, enterprise, item, issued_on)


def _provider(entry: Mapping[str, Value], scenario: Scenario, names: Names) -> None:
    fields = record(_PROVIDER)(entry)
    name = str(fields.pop("id"))
    uscc = names.declare(name, str(fields["home"]))
    scenario.providers[name] = ParseDict({"name": name, **fields, "uscc": uscc}, registry_pb2.Provider())


def _enterprise(entry: Mapping[str, Value], scenario: Scenario, names: Names) -> None:
    fields = record(_ENTERPRISE)(entry)
    name, home = str(fields.pop("id")), str(fields["division"])
    made = ParseDict({"name": name, **fields, "uscc": names.declare(name, home)}, participant_pb2.Enterprise())
    # A number that the file gives is the file's, an empty one too; others need none.
    if made.kind == types.ENTERPRISE_KIND_TECH_SME and "sme_no" not in entry:
        made.sme_no = sme_number_of(name, home, scenario.start.year)
    scenario.enterprises[name] = made


def _each(entries: Entries, read: Callable[[Node], object]) -> None:
    for path, entry in entries:
        if not isinstance(entry, Node):
            raise ScenarioError(f"{path.name}: a mapping of fields is expected, not {entry!r}")
        try:
            read(entry)
        except FieldFault as fault:
            where = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in fault.spot).lstrip(".")
            raise ScenarioError(f"{path.name}:{entry.line}: {where}: {fault.message}") from None
        except (PolicyFileError, ValueError) as error:
            raise ScenarioError(f"{path.name}:{entry.line}: {error}") from None
