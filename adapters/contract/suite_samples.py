"""What the samples must show: every kind, good and bad; every field accounted for; nothing personal leaving; what is assumed."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from adapters.contract.records import MARK, NATIVE_KINDS, PERSONAL, bad, good, good_of, marks, sample_records
from adapters.runtime.identity import digest_of
from adapters.runtime.model import Adapter, Kind, Mapped
from adapters.runtime.policy_file import load_policies
from adapters.runtime.reasons import REASONS
from adapters.runtime.row import generic
from adapters.runtime.showing import readme
from hub.domain.divisions import contains, is_division
from yrd.clearing.v1 import clearing_pb2 as clearing
from yrd.common.v1 import types_pb2 as types
from yrd.settlement.v1 import settlement_pb2 as settlement


def short(names: list[str], prefix: str) -> list[str]:
    """Return an enum's names as code lists have them."""
    return [name.removeprefix(prefix) for name in names if not name.endswith("_UNSPECIFIED")]


def test_the_adapter_says_who_it_is(adapter: Adapter) -> None:
    assert adapter.name.isidentifier() and adapter.name.islower()
    assert is_division(adapter.division) and adapter.division.endswith("0000")
    assert adapter.title_zh and adapter.title_en


def test_the_samples_have_every_kind_good_and_broken(adapter: Adapter) -> None:
    counts = Counter(record.kind for record, _ in good(adapter))
    assert set(counts) == set(NATIVE_KINDS)
    rows = bad(adapter)
    assert len(rows) >= 4, "show what the adapter turns away: a few rows that cannot be used"
    assert len({row.reason_code for row in rows}) >= 4


def test_the_samples_withdraw_a_record_in_the_provinces_own_way(adapter: Adapter) -> None:
    """A withdrawn record still says which it is; its mark differs from a valid one's, and the mapping table names the mark."""
    withdrawn = [record for record, _ in sample_records(adapter) if record is not None and record.deleted]
    assert withdrawn, "no sample record is withdrawn"
    for record in withdrawn:
        names = marks(adapter.mapped, record.kind)
        assert len(names) == 1, f"{record.kind}: the mapping table must name one field as {MARK!r}"
        assert record.native_id
        valid = {other.fields.get(next(iter(names)), "") for other, _ in good_of(adapter, record.kind) if not other.deleted}
        assert record.fields[next(iter(names))] not in valid


def test_every_native_field_is_mapped_or_dropped_with_a_reason(adapter: Adapter) -> None:
    seen: dict[Kind, set[str]] = {}
    for record, _ in good(adapter):
        seen.setdefault(record.kind, set()).update(generic(name) for name in record.fields)
    for kind, fields in seen.items():
        mapped, dropped = set(adapter.mapped[kind]), set(adapter.dropped.get(kind, {}))
        assert not mapped & dropped
        assert fields <= mapped | dropped, f"{kind}: neither mapped nor dropped: {fields - mapped - dropped}"
        assert mapped <= fields, f"{kind}: mapped, but in no sample: {mapped - fields}"
        assert all(adapter.dropped.get(kind, {}).values()), f"{kind}: dropped without a reason"


def test_every_mapped_field_matters(adapter: Adapter) -> None:
    """Change any one of them, in some record that has it, and the outcome changes: none is read and forgotten."""
    for kind, fields in adapter.mapped.items():
        for field in set(fields) - marks(adapter.mapped, kind):
            holders = (
                (r, m, name) for r, m in good_of(adapter, kind) for name, value in r.fields.items() if generic(name) == field and value
            )
            found = next(holders, None)
            assert found is not None, f"{kind}.{field} is empty in every sample"
            record, mapped, name = found
            changed = adapter.map(replace(record, fields={**record.fields, name: record.fields[name][:-1] + "?"}))
            assert changed != mapped, f"{kind}.{field} makes no difference"


def test_dropped_fields_make_no_difference(adapter: Adapter) -> None:
    """Neither absent nor filled with anything: not to the command, and not to whether a record counts as changed."""
    for record, mapped in good(adapter):
        unsaid = {name for name in record.fields if generic(name) in adapter.dropped.get(record.kind, {})}
        for said in (
            {name: value for name, value in record.fields.items() if name not in unsaid},
            {name: "\x00任何文字'\"" if name in unsaid else value for name, value in record.fields.items()},
        ):
            other = replace(record, fields=said)
            assert adapter.map(other) == mapped
            assert digest_of(other, adapter.dropped) == digest_of(record, adapter.dropped)


def test_personal_data_never_leaves(adapter: Adapter) -> None:
    """Not in a command, its key or its ids; the samples show some, so that there is something to hold back."""
    checked = 0
    for record, mapped in good(adapter):
        wire = mapped.request.SerializeToString() + "\0".join([mapped.key, mapped.native_id, mapped.refers_to]).encode()
        for name, value in record.fields.items():
            if adapter.dropped.get(record.kind, {}).get(generic(name), "").startswith(PERSONAL) and value:
                assert value.encode() not in wire
                checked += 1
    assert checked, f"no dropped field gives {PERSONAL!r} as its reason: do the province's files really name nobody?"


def test_a_broken_row_names_its_place_and_its_reason(adapter: Adapter) -> None:
    for row in bad(adapter):
        assert row.file and row.line and row.field
        assert row.reason_code in REASONS
        assert row.reason_zh and row.reason_en
        assert "{" not in row.reason_zh + row.reason_en


def test_records_are_of_the_provinces_own_division(adapter: Adapter) -> None:
    for record, mapped in good(adapter):
        request = mapped.request
        if record.kind is Kind.ENTERPRISE:
            assert contains(adapter.division, str(getattr(request, "enterprise").division))  # noqa: B009 - known at run time only
        if record.kind is Kind.VOUCHER:
            assert contains(adapter.division, str(getattr(request, "issuer")))  # noqa: B009


def test_commands_are_complete_but_for_what_the_hub_alone_knows(adapter: Adapter) -> None:
    for record, mapped in good(adapter):
        assert mapped.key and mapped.native_id == record.native_id
        assert mapped.request.DESCRIPTOR.fields_by_name["request_id"].number == 1
        if isinstance(mapped.request, clearing.CaptureRequest):
            assert mapped.refers_to and mapped.refers_field in record.fields
            assert not mapped.request.redemption_id


def test_captures_refer_to_orders_of_the_samples(adapter: Adapter) -> None:
    orders = {record.native_id for record, _ in good_of(adapter, Kind.AUTHORIZATION)}
    claims = good_of(adapter, Kind.CAPTURE)
    assert sum(mapped.refers_to in orders for _, mapped in claims) * 2 > len(claims)


def test_policies_are_the_provinces_own_and_say_what_is_assumed(adapter: Adapter) -> None:
    entries = load_policies(adapter.policy_file)
    assert entries
    for entry in entries:
        assert contains(adapter.division, entry.policy.issuer)
        assert entry.assumed and entry.source
    text = adapter.policy_file.read_text(encoding="utf-8")
    assert text.count("# assumed") >= sum(len(entry.assumed) for entry in entries) // 2, "mark each figure without a source where it stands"


def test_every_value_the_hub_may_send_has_a_native_word(adapter: Adapter) -> None:
    wanted = {
        "category": short(types.Category.keys(), "CATEGORY_"),
        "enterprise_kind": short(types.EnterpriseKind.keys(), "ENTERPRISE_KIND_"),
        "flag": short(types.LineFlag.keys(), "LINE_FLAG_"),
        "evidence": short(types.EvidenceKind.keys(), "EVIDENCE_KIND_"),
        "redemption_state": short(clearing.RedemptionState.keys(), "REDEMPTION_STATE_"),
        "payee": short(clearing.PayeeKind.keys(), "PAYEE_KIND_"),
        "obligation_state": short(settlement.ObligationState.keys(), "OBLIGATION_STATE_"),
        "outcome": ["OK", "REFUSED", "UNANSWERED"],
    }
    for name, values in wanted.items():
        assert {adapter.codes.inward(name, adapter.codes.outward(name, value)) for value in values} == set(values)
        assert set(adapter.codes.lists[name].values()) == set(values), f"{name}: a value the contract does not have"


def test_a_code_outside_the_lists_is_quarantined_and_not_guessed(adapter: Adapter) -> None:
    lists = {Kind.ENTERPRISE: "enterprise_kind", Kind.AUTHORIZATION: "category"}
    for kind, name in lists.items():
        record, _ = good_of(adapter, kind)[0]
        field = next(each for each in record.fields if f"code list {name}" in adapter.mapped[kind].get(generic(each), ""))
        outcome = adapter.map(replace(record, fields={**record.fields, field: "无此代码"}))
        assert not isinstance(outcome, Mapped)
        assert (outcome.reason_code, outcome.field) == ("UNMAPPED_CODE", field)


def test_the_readme_shows_the_mapping_as_it_is(adapter: Adapter) -> None:
    """`deltahub adapter render` writes it anew."""
    assert (adapter.folder / "README.md").read_text(encoding="utf-8") == readme(adapter)
