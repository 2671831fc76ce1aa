"""The list of redemptions: each filter, filters together, and pages that stay right while redemptions come in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2

from tests.fixtures import delta
from tests.fixtures.delta import ANHUI_LAB, CHANGXING, CLEARING, JIANGSU, LABS, SHANGHAI, SHANGHAI_LAB, ZHEJIANG
from tests.fixtures.forked import Ground
from tests.fixtures.hub import RunningHub
from tests.support_usecases import credit_code
from yrd.clearing.v1 import clearing_pb2 as pb

LIST = f"{CLEARING}.ListRedemptions"


@dataclass(frozen=True, slots=True)
class Made:
    """A hub and its redemptions, oldest first."""

    hub: RunningHub
    redemptions: list[pb.Redemption]

    async def listed(self, caller: str, **filters: Any) -> list[str]:
        """Return the ids that a list shows, page by page of three, newest first."""
        found: list[str] = []
        token = ""
        while True:
            request = pb.ListRedemptionsRequest(page_size=3, page_token=token, **filters)
            page: pb.ListRedemptionsResponse = await self.hub.call(caller, LIST, request)
            found += [item.redemption_id for item in page.redemptions]
            token = page.next_page_token
            if not token:
                return found

    def ids(self, wanted: Callable[[pb.Redemption], bool]) -> list[str]:
        return [item.redemption_id for item in reversed(self.redemptions) if wanted(item)]


async def authorized(hub: RunningHub, issuer: str, firm: str, lab: str, order_no: str) -> pb.Redemption:
    request = delta.authorize(issuer, firm, lab, order_no, 1_000)
    answer: pb.AuthorizeResponse = await hub.call(LABS[lab], f"{CLEARING}.Authorize", request)
    return answer.redemption


@pytest.fixture(scope="module")
async def made(ground: Ground) -> AsyncIterator[Made]:
    firms = {wallet.issuer: wallet.enterprise for wallet in ground.wallets}
    with ground.database() as uri:
        async with ground.hub(uri) as hub:
            redemptions = [
                await authorized(hub, issuer, firms[CHANGXING if issuer == ZHEJIANG else issuer], lab, f"{issuer[:2]}-{number}")
                for number in range(3)
                for issuer in (CHANGXING, ZHEJIANG, JIANGSU)
                for lab in (SHANGHAI_LAB, ANHUI_LAB)
            ]
            yield Made(hub, redemptions)


async def test_a_list_shows_the_callers_side_newest_first(made: Made) -> None:
    assert await made.listed(CHANGXING) == made.ids(lambda item: item.issuer == CHANGXING)
    assert await made.listed(JIANGSU) == made.ids(lambda item: item.issuer == JIANGSU)
    assert await made.listed(ZHEJIANG) == made.ids(lambda item: item.issuer in (CHANGXING, ZHEJIANG))


async def test_filters(made: Made) -> None:
    one = made.redemptions[0]
    for name in ("enterprise", "provider", "issuer", "acquirer"):
        wanted = getattr(one, name)
        assert await made.listed(ZHEJIANG, **{name: wanted}) == made.ids(
            lambda item, name=name, wanted=wanted: item.issuer != JIANGSU and getattr(item, name) == wanted  # type: ignore[misc]  # bound at once
        )
    expected = made.ids(lambda item: item.issuer != JIANGSU and item.order.order_no == "33-1" and item.provider == ANHUI_LAB)
    assert len(expected) == 2
    assert await made.listed(ZHEJIANG, order_no="33-1", provider=ANHUI_LAB) == expected
    assert await made.listed(ZHEJIANG, enterprise=credit_code(96, "91330522")) == []


async def test_an_interval_holds_its_beginning_and_not_its_end(made: Made) -> None:
    ours = [item for item in made.redemptions if item.issuer == JIANGSU]
    first, last = ours[1].authorized_at, ours[4].authorized_at
    within = [item.redemption_id for item in reversed(ours[1:4])]
    assert await made.listed(JIANGSU, authorized_from=first, authorized_until=last) == within
    assert await made.listed(JIANGSU, authorized_from=first) == [item.redemption_id for item in reversed(ours[1:])]
    assert await made.listed(JIANGSU, authorized_until=first) == [ours[0].redemption_id]
    assert await made.listed(JIANGSU, authorized_from=last, authorized_until=first) == []
    # The ends of what a timestamp can say are instants like others.
    ends = {"authorized_from": Timestamp(seconds=-62135596800), "authorized_until": Timestamp(seconds=253402300799)}
    assert await made.listed(JIANGSU, **ends) == [item.redemption_id for item in reversed(ours)]


async def test_pages_stay_right_while_redemptions_come_in(made: Made) -> None:
    firm = made.redemptions[0].enterprise
    request = pb.ListRedemptionsRequest(page_size=4, enterprise=firm, order_no="P-1")
    await authorized(made.hub, CHANGXING, firm, SHANGHAI_LAB, "P-1")
    before = await made.listed(ZHEJIANG, enterprise=firm)
    page: pb.ListRedemptionsResponse = await made.hub.call(ZHEJIANG, LIST, pb.ListRedemptionsRequest(page_size=4, enterprise=firm))
    shown = [item.redemption_id for item in page.redemptions]
    new = await authorized(made.hub, ZHEJIANG, firm, SHANGHAI_LAB, "P-1")
    while page.next_page_token:
        following = pb.ListRedemptionsRequest(page_size=4, enterprise=firm, page_token=page.next_page_token)
        page = await made.hub.call(ZHEJIANG, LIST, following)
        shown += [item.redemption_id for item in page.redemptions]
    assert shown == before
    found: pb.ListRedemptionsResponse = await made.hub.call(ZHEJIANG, LIST, request)
    assert found.redemptions[0] == new and len(found.redemptions) == 2


async def test_a_token_serves_the_list_it_was_made_for_only(made: Made) -> None:
    """AIP-158: every other field is as it was for the page before; only how large the pages are may change."""
    firm, wire = made.redemptions[0].enterprise, await made.hub.wire(ZHEJIANG)
    first: pb.ListRedemptionsResponse = await made.hub.call(ZHEJIANG, LIST, pb.ListRedemptionsRequest(page_size=1, enterprise=firm))
    following = pb.ListRedemptionsRequest(page_token=first.next_page_token, enterprise=firm)
    other = pb.ListRedemptionsRequest(page_token=first.next_page_token)
    more = pb.ListRedemptionsRequest(page_token=first.next_page_token, enterprise=firm, acquirer=SHANGHAI)
    for who, request in ((wire, other), (wire, more), (await made.hub.wire(SHANGHAI), following)):
        answer = await who.send(LIST, request.SerializeToString())
        assert (answer.code, answer.fields) == ("INVALID_ARGUMENT", ["page_token"])
        assert "start again" in answer.detail(error_details_pb2.BadRequest).field_violations[0].description
    rest: pb.ListRedemptionsResponse = await made.hub.call(ZHEJIANG, LIST, following)
    listed = [item.redemption_id for item in (*first.redemptions, *rest.redemptions)]
    assert len(listed) > 1 and listed == await made.listed(ZHEJIANG, enterprise=firm)
