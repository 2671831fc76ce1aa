"""Recognition reaches the clearing engine with the commit that changes it: each change, then an authorization through the running hub."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest

from hub.client import CallResult
from hub.domain.divisions import COORDINATION
from tests.fixtures import delta
from tests.fixtures.delta import CHANGXING, CLEARING, POLICIES, REGISTRY, SHANGHAI, SHANGHAI_LAB, request_id, today
from tests.fixtures.hub import RunningHub
from tests.fixtures.recognition import SHA256
from tests.support_usecases import credit_code
from yrd.clearing.v1 import clearing_pb2
from yrd.policy.v1 import policy_pb2
from yrd.registry.v1 import recognition_pb2 as pb
from yrd.registry.v1 import registry_pb2

RECOGNITION = "yrd.registry.v1.RecognitionService"
FIRM = credit_code(61, "91330522")


@dataclass
class Counter:
    """Where the enterprise's orders come in; each order is another."""

    hub: RunningHub
    orders: int = 0
    classes: list[str] = field(default_factory=list)

    async def authorize(self) -> str:
        """Authorize the next order; return OK or the refusal's code with what is missing."""
        self.orders += 1
        request = delta.authorize(CHANGXING, FIRM, SHANGHAI_LAB, f"R-{self.orders}", 1_000)
        result: CallResult[Any] = await (await self.hub.wire(SHANGHAI)).client.call(f"{CLEARING}.Authorize", request)
        return "OK" if result.ok else f"{result.code} {result.metadata.get('missing', '')}"

    async def quote(self) -> list[str]:
        request = clearing_pb2.QuoteRequest(input=delta.authorize(CHANGXING, FIRM, SHANGHAI_LAB, "R-Q", 1_000).input)
        answer: clearing_pb2.QuoteResponse = await self.hub.call(SHANGHAI, f"{CLEARING}.Quote", request)
        return list(answer.refusals)

    async def set_class(self, **conditions: Any) -> None:
        wanted = pb.ClassRecognition(issuer=CHANGXING, valid_from="2020-01-01", **conditions)
        request = pb.SetClassRecognitionRequest(request_id=request_id(), class_recognition=wanted)
        answer = await self.hub.call(CHANGXING, f"{RECOGNITION}.SetClassRecognition", request)
        self.classes.append(answer.class_recognition.class_id)

    async def end_class(self) -> None:
        request = pb.EndClassRecognitionRequest(request_id=request_id(), class_id=self.classes.pop(), reason="终止")
        await self.hub.call(CHANGXING, f"{RECOGNITION}.EndClassRecognition", request)

    async def rate(self, rating: int) -> None:
        lab = delta.provider(SHANGHAI_LAB, SHANGHAI)
        lab.rating = rating
        await self.hub.call(SHANGHAI, f"{REGISTRY}.AdmitProvider", registry_pb2.AdmitProviderRequest(provider=lab))


@pytest.fixture(scope="module")
async def counter(live_hub: RunningHub) -> AsyncIterator[Counter]:
    await delta.found(live_hub)
    listed = delta.policy(CHANGXING, 10_000_000)
    listed.version, listed.effective_from = "2021", "2021-01-01"
    listed.recognition.default = policy_pb2.RECOGNITION_DEFAULT_LISTED
    await live_hub.call(CHANGXING, f"{POLICIES}.PublishPolicy", policy_pb2.PublishPolicyRequest(policy=listed))
    await delta.furnish(live_hub, FIRM, CHANGXING, [CHANGXING], 1_000_000, 1)
    yield Counter(live_hub)


async def test_a_class_counts_from_the_commit_that_sets_it_to_the_one_that_ends_it(counter: Counter) -> None:
    assert await counter.authorize() == "PROVIDER_NOT_RECOGNIZED LISTED_ONLY"
    await counter.set_class(home=SHANGHAI, category=delta.TESTING)
    assert await counter.authorize() == "OK"
    assert await counter.quote() == []
    await counter.end_class()
    assert await counter.authorize() == "PROVIDER_NOT_RECOGNIZED PERIOD"
    assert await counter.quote() == ["PROVIDER_NOT_RECOGNIZED"]


async def test_a_rating_brings_a_provider_into_a_class_and_out(counter: Counter) -> None:
    await counter.set_class(home=SHANGHAI, min_rating=400)
    assert await counter.authorize() == "PROVIDER_NOT_RECOGNIZED RATING"
    await counter.rate(400)
    assert await counter.authorize() == "OK"
    await counter.rate(399)
    assert await counter.authorize() == "PROVIDER_NOT_RECOGNIZED RATING"
    await counter.end_class()


async def test_the_quality_list_counts_at_once(counter: Counter) -> None:
    await counter.set_class(quality_listed=True)
    assert await counter.authorize() == "PROVIDER_NOT_RECOGNIZED QUALITY_LIST"
    with psycopg.connect(counter.hub.process.database_url, autocommit=True) as connection:
        connection.execute("INSERT INTO registry.quality_listing VALUES (%s, %s)", (SHANGHAI_LAB, today()))
        assert await counter.authorize() == "OK"
        connection.execute("UPDATE registry.quality_listing SET listed_until = %s", (today(),))
    assert await counter.authorize() == "PROVIDER_NOT_RECOGNIZED QUALITY_LIST"
    await counter.end_class()


async def _of_class(counter: Counter) -> None:
    await counter.set_class(home=SHANGHAI, require_agreement=True)


async def _by_name(counter: Counter) -> None:
    wanted = registry_pb2.Recognition(issuer=CHANGXING, provider=SHANGHAI_LAB, valid_from=today(), require_agreement=True)
    bulk = pb.BulkRecognizeRequest(request_id=request_id(), recognitions=[wanted])
    await counter.hub.call(CHANGXING, f"{RECOGNITION}.BulkRecognize", bulk)


@pytest.mark.parametrize(("number", "recognize"), [("XY-1", _of_class), ("XY-2", _by_name)])
async def test_an_agreement_counts_at_once(counter: Counter, number: str, recognize: Callable[[Counter], Awaitable[None]]) -> None:
    await recognize(counter)
    assert await counter.authorize() == "PROVIDER_NOT_RECOGNIZED AGREEMENT"
    document = pb.TripartiteAgreement(
        issuer=CHANGXING,
        number=number,
        provider=SHANGHAI_LAB,
        platform_division=CHANGXING,
        platform_name="企业服务平台",
        document_sha256=SHA256,
        signed_on="2020-01-01",
    )
    register = pb.RegisterAgreementRequest(request_id=request_id(), agreement=document)
    await counter.hub.call(CHANGXING, f"{RECOGNITION}.RegisterAgreement", register)
    assert await counter.authorize() == "OK"
    end = pb.EndAgreementRequest(request_id=request_id(), issuer=CHANGXING, number=number, reason="终止")
    await counter.hub.call(CHANGXING, f"{RECOGNITION}.EndAgreement", end)
    assert await counter.authorize() == "PROVIDER_NOT_RECOGNIZED AGREEMENT"
    if counter.classes:
        await counter.end_class()


async def test_the_explanation_is_what_clearing_does(counter: Counter) -> None:
    for conditions, payable in (({"home": SHANGHAI}, True), ({"home": "340000"}, False)):
        await counter.set_class(**conditions)
        ask = pb.ExplainRecognitionRequest(issuer=CHANGXING, provider=SHANGHAI_LAB)
        answer: pb.ExplainRecognitionResponse = await counter.hub.call(COORDINATION, f"{RECOGNITION}.ExplainRecognition", ask)
        assert answer.verdict.payable == payable == (await counter.authorize() == "OK")
        await counter.end_class()
