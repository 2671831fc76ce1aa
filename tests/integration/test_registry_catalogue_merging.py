from __future__ import annotations

import asyncio
from typing import Any

import pytest
from sqlmodel.ext.asyncio.session import AsyncSession

from hub.domain.caller import Caller
from registry.admission.direct import admit_provider
from registry.catalogue.deduping import Proposed, propose_merges
from registry.catalogue.entries import create_entry, get_entry, list_entries, list_entry_versions, update_entry
from registry.catalogue.merging import confirm_merge, list_merge_proposals, reject_merge
from tests.support_usecases import COORDINATOR, Desk, codes, credit_code, platform
from yrd.registry.v1 import catalogue_pb2 as pb
from yrd.registry.v1 import registry_pb2

SHANGHAI, JIANGSU, ANHUI = "310000", "320000", "340000"
LAB, HOST, BRANCH = credit_code(1, "12310118"), credit_code(2, "91320500"), credit_code(1, "12320500")
"""A laboratory, a platform of another province that lists its microscope, and the laboratory once more: same organisation part."""


@pytest.fixture
async def desk(desk: Desk) -> Desk:
    homes = {LAB: (SHANGHAI, "上海材料研究所"), HOST: (JIANGSU, "江苏仪器共享平台"), BRANCH: (JIANGSU, "上海市材料研究院")}
    for uscc, (home, name) in homes.items():
        provider = registry_pb2.Provider(uscc=uscc, name=name, home=home, admitted_on="2026-01-01")
        await desk.do(admit_provider, platform(home), registry_pb2.AdmitProviderRequest(provider=provider))
    return desk


def microscope(provider: str, **details: str) -> pb.CatalogueEntry:
    given: dict[str, Any] = {"model": "SU8010", "maker": "日立", "serial_no": "A1234", "place": "上海市邯郸路99号", **details}
    kind = pb.ENTRY_KIND_INSTRUMENT
    return pb.CatalogueEntry(provider=provider, kind=kind, code="YQ1", name="扫描电子显微镜", instrument=pb.InstrumentDetails(**given))


async def furnish(desk: Desk) -> tuple[int, int]:
    """List one microscope twice and return the numbers of its entries."""
    one = await desk.do(create_entry, platform(SHANGHAI), pb.CreateEntryRequest(entry=microscope(LAB)))
    twin = microscope(HOST, model="SU 8010", institution="上海材料研究所", owner=LAB)
    two = await desk.do(create_entry, platform(JIANGSU), pb.CreateEntryRequest(entry=twin))
    return one.entry.entry_id, two.entry.entry_id


async def propose(desk: Desk) -> Proposed:
    async with AsyncSession(desk.work.engine) as session, session.begin():
        return await propose_merges(session, ["上海", "江苏"], desk.clock.now())


async def proposals(desk: Desk, caller: Caller, **wanted: int) -> list[pb.MergeProposal]:
    request = pb.ListMergeProposalsRequest(**wanted)  # type: ignore[arg-type]  # an enum's numbers are int
    return list((await desk.ask(list_merge_proposals, caller, request)).proposals)


async def proposal(desk: Desk, subject: int) -> pb.MergeProposal:
    (found,) = await proposals(desk, COORDINATOR, subject=subject)
    return found


async def confirm(desk: Desk, caller: Caller, number: int) -> pb.MergeProposal:
    answer: pb.ConfirmMergeResponse = await desk.do(confirm_merge, caller, pb.ConfirmMergeRequest(proposal_id=number))
    return answer.proposal


async def test_what_arrives_twice_is_proposed_and_nothing_is_merged(desk: Desk) -> None:
    one, two = await furnish(desk)
    before = desk.rows("SELECT e::text FROM registry.catalogue_entry AS e ORDER BY entry_id")
    assert (await propose(desk))[:] == (3, 2, 2, 2)
    assert desk.rows("SELECT e::text FROM registry.catalogue_entry AS e ORDER BY entry_id") == before
    entry = await proposal(desk, pb.MERGE_SUBJECT_ENTRY)
    assert (entry.left, entry.right, entry.kept) == (str(one), str(two), str(one))
    assert (entry.left_division, entry.right_division) == (SHANGHAI, JIANGSU)
    assert entry.score >= 850 and {"SAME_SERIAL_NO", "SAME_OWNER"} <= {reason.code for reason in entry.reasons}
    assert all(reason.zh and reason.en for reason in entry.reasons)
    provider = await proposal(desk, pb.MERGE_SUBJECT_PROVIDER)
    assert {provider.left, provider.right} == {LAB, BRANCH}
    assert provider.reasons[0].code == "SAME_ORGANISATION_CODE"


async def test_proposals_are_seen_by_the_homes_they_concern(desk: Desk) -> None:
    await furnish(desk)
    await propose(desk)
    for caller in (platform(SHANGHAI), platform(JIANGSU), COORDINATOR):
        assert len(await proposals(desk, caller)) == 2
    assert await proposals(desk, platform(ANHUI)) == []
    first = await desk.ask(list_merge_proposals, COORDINATOR, pb.ListMergeProposalsRequest(page_size=1))
    token = first.next_page_token
    second = await desk.ask(list_merge_proposals, COORDINATOR, pb.ListMergeProposalsRequest(page_size=1, page_token=token))
    assert first.proposals[0].proposal_id < second.proposals[0].proposal_id
    number = first.proposals[0].proposal_id
    assert (await desk.refused(confirm_merge, platform(ANHUI), pb.ConfirmMergeRequest(proposal_id=number)))[0] == "MERGE_NOT_FOUND"
    assert (await desk.refused(reject_merge, platform(ANHUI), pb.RejectMergeRequest(proposal_id=number, reason="x")))[
        0
    ] == "MERGE_NOT_FOUND"
    assert (await desk.refused(confirm_merge, COORDINATOR, pb.ConfirmMergeRequest(proposal_id=999)))[0] == "MERGE_NOT_FOUND"
    assert (await desk.refused(reject_merge, COORDINATOR, pb.RejectMergeRequest(proposal_id=number)))[1] == ["reason"]


async def test_a_merge_of_entries_takes_both_homes_keeps_both_histories_and_redirects_reads(desk: Desk) -> None:
    one, two = await furnish(desk)
    await propose(desk)
    number = (await proposal(desk, pb.MERGE_SUBJECT_ENTRY)).proposal_id
    half = await confirm(desk, platform(JIANGSU), number)
    assert (half.state, half.left_confirmed, half.right_confirmed) == (pb.MERGE_STATE_PROPOSED, False, True)
    assert (await desk.refused(confirm_merge, platform(JIANGSU), pb.ConfirmMergeRequest(proposal_id=number)))[0] == "INVALID_STATE"
    assert (await desk.ask(get_entry, COORDINATOR, pb.GetEntryRequest(entry_id=two))).entry.entry_id == two
    whole = await confirm(desk, platform(SHANGHAI), number)
    assert whole.state == pb.MERGE_STATE_CONFIRMED
    assert (await desk.ask(get_entry, COORDINATOR, pb.GetEntryRequest(entry_id=two))).entry.entry_id == one
    assert [item.entry_id for item in (await desk.ask(list_entries, COORDINATOR, pb.ListEntriesRequest())).entries] == [one]
    kept = (await desk.ask(list_entry_versions, platform(JIANGSU), pb.ListEntryVersionsRequest(entry_id=two))).versions
    assert [(item.cause, item.entry.state) for item in kept] == [("Create", pb.ENTRY_STATE_ACTIVE), ("Merge", pb.ENTRY_STATE_MERGED)]
    change = desk.told(1)[0].message.changes[0]
    assert (change.entry_id, change.state, change.merged_into) == (two, pb.ENTRY_STATE_MERGED, one)
    update = pb.UpdateEntryRequest(entry=microscope(HOST))
    assert (await desk.refused(update_entry, platform(JIANGSU), update))[0] == "INVALID_STATE"
    assert (await propose(desk)).new == 0


async def test_a_rejected_pair_is_not_proposed_again(desk: Desk) -> None:
    await furnish(desk)
    await propose(desk)
    number = (await proposal(desk, pb.MERGE_SUBJECT_ENTRY)).proposal_id
    await confirm(desk, platform(SHANGHAI), number)
    request = pb.RejectMergeRequest(proposal_id=number, reason="两台同型号仪器")
    rejected = (await desk.do(reject_merge, platform(JIANGSU), request)).proposal
    assert (rejected.state, rejected.decision_reason) == (pb.MERGE_STATE_REJECTED, "两台同型号仪器")
    for use_case, again in ((confirm_merge, pb.ConfirmMergeRequest(proposal_id=number)), (reject_merge, request)):
        again.request_id = ""
        assert (await desk.refused(use_case, COORDINATOR, again))[0] == "INVALID_STATE"
    assert (await propose(desk)).new == 0
    assert len(await proposals(desk, COORDINATOR, state=pb.MERGE_STATE_REJECTED)) == 1


async def test_the_coordination_group_alone_merges_providers_and_their_catalogues_read_as_one(desk: Desk) -> None:
    service = pb.CatalogueEntry(provider=BRANCH, kind=pb.ENTRY_KIND_INSTRUMENT, code="YQ9", name="硬度计")
    service.instrument.model = "HV"
    await furnish(desk)
    branch = (await desk.do(create_entry, platform(JIANGSU), pb.CreateEntryRequest(entry=service))).entry
    await propose(desk)
    found = await proposal(desk, pb.MERGE_SUBJECT_PROVIDER)
    merged = await confirm(desk, COORDINATOR, found.proposal_id)
    assert (merged.state, merged.left_confirmed, merged.right_confirmed) == (pb.MERGE_STATE_CONFIRMED, True, True)
    for provider in (LAB, BRANCH):
        listed = (await desk.ask(list_entries, platform(ANHUI), pb.ListEntriesRequest(provider=provider))).entries
        assert {entry.provider for entry in listed} == {LAB, BRANCH}
    event = desk.told(1)[0]
    assert {event.message.provider, event.message.kept} == {LAB, BRANCH}
    assert event.message.kept == found.kept
    # Its entries are still its own: admission, standing and money of both stay as they are.
    service.name = "显微硬度计"
    changed = (await desk.do(update_entry, platform(JIANGSU), pb.UpdateEntryRequest(entry=service))).entry
    assert (changed.entry_id, changed.version) == (branch.entry_id, 2)
    assert desk.rows("SELECT count(*) FROM registry.provider") == [(3,)]
    assert (await propose(desk)).providers == 2


async def test_a_chain_of_merges_leads_to_one_entry(desk: Desk) -> None:
    one, two = await furnish(desk)
    third = microscope(BRANCH, institution="上海材料研究所", owner=LAB)
    three = (await desk.do(create_entry, platform(JIANGSU), pb.CreateEntryRequest(entry=third))).entry.entry_id
    await propose(desk)
    found = {frozenset((item.left, item.right)): item for item in await proposals(desk, COORDINATOR, subject=pb.MERGE_SUBJECT_ENTRY)}
    assert len(found) == 3
    order = [{str(two), str(three)}, {str(one), str(two)}, {str(one), str(three)}]
    for pair in order:
        await confirm(desk, COORDINATOR, found[frozenset(pair)].proposal_id)
    for number in (one, two, three):
        assert (await desk.ask(get_entry, COORDINATOR, pb.GetEntryRequest(entry_id=number))).entry.entry_id == one
    assert desk.rows("SELECT count(*) FROM registry.catalogue_entry WHERE state = 'ACTIVE'") == [(1,)]


async def test_two_confirmations_at_once_merge_once(desk: Desk) -> None:
    _, two = await furnish(desk)
    await propose(desk)
    number = (await proposal(desk, pb.MERGE_SUBJECT_ENTRY)).proposal_id
    callers = (platform(SHANGHAI), platform(JIANGSU), COORDINATOR)
    outcomes = await asyncio.gather(*(desk.send(confirm_merge, caller, pb.ConfirmMergeRequest(proposal_id=number)) for caller in callers))
    assert codes(outcomes).count("OK") >= 1 and set(codes(outcomes)) <= {"OK", "INVALID_STATE"}
    assert desk.rows(f"SELECT count(*) FROM registry.catalogue_version WHERE entry_id = {two}") == [(2,)]
