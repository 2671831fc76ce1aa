"""Whom an issuer recognises on a day, and the matrix of coverage between all regions."""

from __future__ import annotations

from hub.application import keyset
from hub.application.transaction import Transaction
from hub.codec import enums
from hub.codec.fields import Fields
from hub.domain.divisions import province_of
from hub.domain.refusals import Refusal
from registry.admission.codec import provider_message
from registry.recognition import coverage, domain, pool
from registry.recognition.verdicts import ground_message
from yrd.registry.v1 import recognition_pb2 as pb


async def list_recognized_providers(
    tx: Transaction, request: pb.ListRecognizedProvidersRequest
) -> pb.ListRecognizedProvidersResponse | Refusal:
    """List whom an issuer recognises on a day, in good standing or not, each with the first ground that carries it.

    NOT_PERMITTED for others than the issuer's platform and the coordination group.
    """
    fields = Fields()
    fields.division("issuer", request.issuer)
    day = fields.optional_date("day", request.day) or tx.today
    if request.home:
        fields.division("home", request.home)
    category = fields.enum("category", request.category, enums.CATEGORY_IN) if request.category else None
    refused = fields.refusal or domain.may_list_of(tx.caller, request.issuer)
    page = refused or keyset.read_page(tx.caller, request, keyset.word)
    if isinstance(page, Refusal):
        return page
    policy = (await pool.policies_on(tx.session, [request.issuer], day)).get(request.issuer)
    if policy is None:
        return pb.ListRecognizedProvidersResponse()
    on = pool.OnDay(day, tx.today)
    found = await coverage.page_of_recognized(tx.session, policy, on, request.home, category, page)
    shown, token = page.cut(found, lambda uscc: [uscc])
    members = await pool.members_on(tx.session, shown, on)
    book = await pool.book(tx.session, [request.issuer], shown)
    answer = pb.ListRecognizedProvidersResponse(next_page_token=token, policy_version=policy.version)
    for uscc in shown:
        verdict = domain.judge(policy, members[uscc], book.dealings(request.issuer, uscc), day)
        carrying = next(ground for ground in verdict.grounds if ground.holds)
        ground = ground_message(request.issuer, uscc, carrying, book)
        answer.providers.add(provider=provider_message(members[uscc].member, day), ground=ground)
    return answer


async def get_coverage_matrix(tx: Transaction, request: pb.GetCoverageMatrixRequest) -> pb.GetCoverageMatrixResponse | Refusal:
    """Count providers in good standing and those recognised, for each issuer with a policy in force and each home province.

    Everybody sees all of it: numbers name nobody, and a platform wants to know where it stands beside the others.
    """
    fields = Fields()
    day = fields.optional_date("day", request.day) or tx.today
    if fields.refusal is not None:
        return fields.refusal
    policies = await pool.policies_on(tx.session, await pool.issuers(tx.session), day)
    counts = await coverage.count_coverage(tx.session, policies, pool.OnDay(day, tx.today))
    homes = sorted({home for issuer, home, _ in counts} | {province_of(issuer) for issuer in policies})
    cells = [_cell(issuer, home, counts) for issuer in sorted(policies) for home in homes]
    return pb.GetCoverageMatrixResponse(day=day.isoformat(), cells=cells)


def _cell(issuer: str, home: str, counts: coverage.Counts) -> pb.CoverageCell:
    cell = pb.CoverageCell(
        issuer=issuer, home=home, in_good_standing=counts.get(("", home, ""), 0), recognized=counts.get((issuer, home, ""), 0)
    )
    for category, number in enums.CATEGORY_OUT.items():
        listed = counts.get(("", home, category.value), 0)
        if listed:
            recognized = counts.get((issuer, home, category.value), 0)
            cell.categories.add(category=number, in_good_standing=listed, recognized=recognized)
    return cell
