"""Shanghai's platform, a process of its own: pulled page by page through its outages, posting to the webhook, taking results."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.contract.hub import FakeHub
from adapters.runtime.dryrun import DryLanding
from adapters.runtime.results import OutcomeRow, Results
from adapters.runtime.source import Delivery, SourceDown, SourceFault, SourceSettings
from adapters.shanghai import ADAPTER
from adapters.shanghai.source import ShanghaiSource, connect
from hub.domain.clock import SimulatedClock
from tests.fixtures.landing import Ground, beyond_landing, exchanged, ground
from tests.fixtures.shanghai import OLD_SECRET, WEBHOOK_SECRET, Platform, shanghai_platform, until
from tests.golden.samples import shanghai
from tests.golden.samples.build import build
from tests.platforms.shanghai_platform import SECRET

RESOURCES = ("enterprises", "providers", "recognitions", "vouchers", "authorizations", "redemptions")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with shanghai_platform(tmp_path_factory.mktemp("platform")) as platform:
        yield platform


@pytest.fixture
def platform(running: Platform) -> Platform:
    running.reset()
    return running


@pytest.fixture
def here(tmp_path: Path) -> Iterator[Ground]:
    with ground(tmp_path / "work", SimulatedClock(datetime.now(UTC))) as opened:
        yield opened


class Side:
    """The adapter's side: a source that can be started anew at any time."""

    def __init__(self, platform: Platform, here: Ground, **given: Any) -> None:
        self.platform, self.here, self.clock = platform, here, SimulatedClock(datetime.now(UTC))
        self.given = {**platform.given, **given}
        self.source = self._connect()

    def _connect(self) -> ShanghaiSource:
        return connect(SourceSettings(self.given, self.here.work, self.here.landing, self.clock))

    def anew(self) -> None:
        self.source.close()
        self.source = self._connect()

    def take(self) -> None:
        while self.source.pull(self.here.landing):
            pass

    def ids(self) -> list[str]:
        return [record.native_id for record in self.here.records(ADAPTER)]


@pytest.fixture
def side(platform: Platform, here: Ground) -> Iterator[Side]:
    made = Side(platform, here)
    yield made
    made.source.close()


def item(number: int, **more: Any) -> dict[str, Any]:
    return {"id": f"SH-{number}", "name": "示例有限公司", "contactMobile": "19900001234", **more}


def items(*numbers: int) -> list[dict[str, Any]]:
    return [item(number) for number in numbers]


def test_all_resources_are_pulled_page_by_page_and_then_only_what_changed(platform: Platform, side: Side) -> None:
    platform.put("enterprises", *items(1, 2, 3, 4))
    platform.put("redemptions", *items(9))
    side.take()
    assert side.here.names() == ["enterprises-000001.json", "enterprises-000002.json", "redemptions-000001.json"]
    side.anew()
    side.take()
    assert len(side.here.names()) == 3
    # A correction and a withdrawal come again at the end of the feed.
    platform.put("enterprises", item(2, name="更名有限公司"), item(3, deletedAt="2026-02-10T02:00:00+08:00"))
    side.take()
    assert side.here.names()[3:] == ["enterprises-000003.json"]
    last = side.here.records(ADAPTER)[-2:]
    assert [(record.native_id, record.fields["name"], record.deleted) for record in last] == [
        ("SH-2", "更名有限公司", False),
        ("SH-3", "示例有限公司", True),
    ]


def test_a_page_is_asked_for_with_the_cursor_of_the_one_that_landed_last_and_lands_once(platform: Platform, side: Side) -> None:
    platform.put("vouchers", *items(*range(10)))
    for _ in range(2):
        assert side.source.pull(side.here.landing) is True
        side.anew()
    # The page landed and the cursor was lost with the machine: it comes again, and has landed before.
    key = "pull/vouchers"
    side.here.landing.keep(key, json.dumps({**json.loads(side.here.landing.cursor(key)), "page": 1, "next": first_cursor(platform, side)}))
    side.take()
    assert side.here.names() == [f"vouchers-{page:06d}.json" for page in (1, 2, 3, 4)]
    assert sorted(side.ids()) == sorted(f"SH-{number}" for number in range(10))


def first_cursor(platform: Platform, side: Side) -> str:
    """Return the cursor behind the first page, as that page has it."""
    body: dict[str, Any] = json.loads(side.here.landed()[0].path.read_bytes())
    return str(body["next"])


@pytest.mark.parametrize("place", ["", "landing.after_rename", "landing.after_registration"])
def test_a_killed_adapter_goes_on_where_it_was(platform: Platform, tmp_path: Path, place: str) -> None:
    platform.put("vouchers", *items(*range(10)))
    if not place:
        platform.fail({"of": "vouchers", "how": "half", "after": 2, "seconds": 60})
    command = [sys.executable, "-m", "tests.fixtures.pulling_process", "shanghai", str(tmp_path), json.dumps(platform.given)]
    process = subprocess.Popen([*command, *([place] if place else [])])
    try:
        if not place:
            # Two pages landed; of the third, half has arrived.
            until(lambda: platform.seen()["asked"].get("vouchers", 0) == 3, "the third page was not asked for")
            process.kill()
        assert process.wait(20) == -signal.SIGKILL
    finally:
        process.kill()
        process.wait()
    platform.fail()
    assert subprocess.run(command, check=False, timeout=30).returncode == 0
    with ground(tmp_path, SimulatedClock(datetime.now(UTC))) as here:
        assert here.names() == [f"vouchers-{page:06d}.json" for page in (1, 2, 3, 4)]
        assert sorted(record.native_id for record in here.records(ADAPTER)) == sorted(f"SH-{number}" for number in range(10))
        assert not list((tmp_path / "landing" / "parts").iterdir())


@pytest.mark.parametrize(
    "fault",
    [
        {"how": "status", "status": 503},
        {"how": "status", "status": 500},
        {"how": "status", "status": 429},
        {"how": "cut"},
        {"how": "half", "seconds": 30},
        {"how": "slow", "seconds": 30},
    ],
    ids=lambda fault: str(fault.get("status", fault["how"])),
)
def test_an_outage_loses_nothing(platform: Platform, here: Ground, fault: dict[str, Any]) -> None:
    side = Side(platform, here, timeout_seconds=0.5)
    platform.put("vouchers", *items(1, 2, 3, 4))
    platform.fail({"of": "vouchers", "after": 1, **fault})
    with pytest.raises(SourceDown):
        side.take()
    assert here.names() == ["vouchers-000001.json"]
    side.take()
    assert side.ids() == ["SH-1", "SH-2", "SH-3", "SH-4"]
    side.source.close()


WAITS = [("120", 120.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0), ("soon", 0.0), ("99999999999", 86_400.0)]


@pytest.mark.parametrize(("said", "seconds"), WAITS)
def test_the_platform_is_left_alone_as_long_as_it_asked(platform: Platform, side: Side, said: str, seconds: float) -> None:
    platform.put("vouchers", *items(1))
    platform.fail({"how": "status", "status": 429, "headers": {"retry-after": said}})
    with pytest.raises(SourceDown) as down:
        side.take()
    assert down.value.wait_seconds == pytest.approx(seconds, abs=1)
    asked = platform.seen()["asked"]
    if seconds:
        side.clock.advance_to(side.clock.now() + timedelta(seconds=seconds - 1))
        with pytest.raises(SourceDown, match="left alone"):
            side.take()
        assert platform.seen()["asked"] == asked
        side.clock.advance_to(side.clock.now() + timedelta(seconds=1))
    side.take()
    assert side.ids() == ["SH-1"]


def test_a_platform_that_is_not_there_is_an_outage(platform: Platform, here: Ground) -> None:
    side = Side(platform, here, base_url="https://localhost:1")
    with pytest.raises(SourceDown, match="ConnectError"):
        side.take()
    side.source.close()


def test_a_token_that_is_no_longer_taken_is_replaced(platform: Platform, side: Side) -> None:
    platform.put("vouchers", *items(1))
    side.take()
    platform.forget(tokens=True)
    platform.put("vouchers", *items(2))
    side.take()
    assert side.ids() == ["SH-1", "SH-2"]
    assert platform.seen()["asked"]["token"] == 2
    side.clock.advance_to(side.clock.now() + timedelta(hours=2))
    side.take()
    assert platform.seen()["asked"]["token"] == 3


def test_a_cursor_the_platform_forgot_begins_anew(platform: Platform, side: Side) -> None:
    platform.put("vouchers", *items(1, 2))
    side.take()
    platform.forget(cursors=True)
    side.take()
    assert side.here.names() == ["vouchers-000001.json", "vouchers-000002.json"]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"how": "body", "body": "<html>maintenance</html>"}, r"vouchers, page 1: not JSON in UTF-8"),
        ({"how": "body", "body": '{"data": {}, "next": "x"}'}, r"vouchers, page 1: no list `data`"),
        ({"how": "body", "body": '{"data": [{}], "next": ""}'}, r"`next` does not move on"),
        ({"how": "body", "body": '{"data": [], "next": 5}'}, r"`next`, `resource` or `changedAt` is no text"),
        ({"how": "status", "status": 404}, r"GET /vouchers: unexpected status 404; check source\.base_url"),
        ({"how": "status", "status": 403}, r"GET /vouchers: 403; ask the platform to give client yrd-adapter the right"),
        ({"how": "status", "status": 410}, r"a cursor expired and was given none"),
    ],
)
def test_what_cannot_be_used_says_what_to_do_and_holds_no_other_resource_up(
    platform: Platform, side: Side, fault: dict[str, Any], message: str
) -> None:
    platform.put("vouchers", *items(1))
    platform.put("redemptions", *items(2))
    platform.fail({"of": "vouchers", **fault})
    with pytest.raises(SourceFault, match=message):
        side.take()
    assert side.source.pull(side.here.landing) is True
    assert side.here.names() == ["redemptions-000001.json"]


def test_an_answer_beyond_the_limit_is_at_fault(platform: Platform, here: Ground) -> None:
    side = Side(platform, here, page_bytes_max=1024)
    platform.put("vouchers", *(item(number, remark="长" * 500) for number in range(3)))
    with pytest.raises(SourceFault, match=r"larger than 1024 bytes: lower source\.page_size"):
        side.take()
    side.source.close()


def test_a_certificate_of_another_authority_is_refused(platform: Platform, here: Ground) -> None:
    given = {name: value for name, value in platform.given.items() if name != "ca_file"}
    source = connect(SourceSettings(given, here.work, here.landing))
    with pytest.raises(SourceFault, match=r"TLS with the platform fails .*check source\.base_url and source\.ca_file"):
        source.pull(here.landing)
    source.close()


def test_a_wrong_secret_is_told_without_telling_it(platform: Platform, here: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHANGHAI_SECRET", "not-the-secret")
    side = Side(platform, here, client_secret={"env": "SHANGHAI_SECRET"})
    with pytest.raises(SourceFault, match=r"check source\.client_id and the secret that source\.client_secret names") as fault:
        side.take()
    assert "not-the-secret" not in str(fault.value)
    side.source.close()


def test_a_backfill_has_cursors_of_its_own(platform: Platform, side: Side) -> None:
    platform.put("vouchers", *items(1, 2, 3, 4), at="2024-05-01T01:00:00+08:00")
    platform.put("vouchers", *items(5), at="2024-06-30T23:59:59+08:00")
    platform.put("vouchers", *items(6), at="2024-07-01T00:00:00+08:00")

    def backfill() -> None:
        while side.source.backfill(side.here.landing, "2024-05-01", "2024-06-30"):
            side.anew()

    backfill()
    backfill()
    assert side.here.names() == [f"vouchers-backfill-20240501-20240630-{page:06d}.json" for page in (1, 2)]
    assert side.ids() == ["SH-1", "SH-2", "SH-3", "SH-4", "SH-5"]
    side.take()
    assert side.ids()[5:] == ["SH-1", "SH-2", "SH-3", "SH-4", "SH-5", "SH-6"]


def test_results_are_put_under_their_digest_however_often(platform: Platform, side: Side, tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    files = ADAPTER.write(Results(outcomes=(OutcomeRow("voucher", "SH-1", "a", "1", "OK", ""),)), tmp_path / "results")
    platform.fail({"of": "results/receipts", "how": "cut"})
    with pytest.raises(SourceDown):
        side.source.push([*files, tmp_path / "quarantine.csv"])
    side.source.push([*files, tmp_path / "quarantine.csv"])
    seen = platform.seen()
    assert set(seen["current"]) == {"redemptions", "vouchers", "obligations", "positions", "receipts"}
    assert seen["asked"]["results/receipts"] == 2
    assert len(seen["documents"]) == 5
    assert json.loads(platform.results()["receipts-result.json"])["data"][0]["id"] == "SH-1"
    side.source.taken(Delivery(1, "vouchers-000001.json", tmp_path, ""))


def test_the_whole_way_and_no_personal_data_on_it(platform: Platform, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    rows = shanghai.rows(build())
    broken = {**rows["enterprises"][0], "id": "SH-QY-9001", "creditCode": "91310118MA1JTERT17"}
    for resource, found in rows.items():
        platform.put(resource, *found, *([broken] if resource == "enterprises" else []))
    given, hub, work = {**platform.given, "page_size": 100}, FakeHub(), tmp_path / "work"
    report = exchanged(ADAPTER, given, work, hub)
    assert (report.unanswered, report.refused, report.quarantined) == (0, 0, 1)
    documents = platform.results()
    receipts = json.loads(documents["receipts-result.json"])["data"]
    assert {each["id"] for each in receipts} >= {item["id"] for items in rows.values() for item in items}
    personal = {
        item[name] for items in rows.values() for item in items for name in ("contactName", "contactMobile", "handler") if name in item
    }
    assert len(personal) > 100
    told = beyond_landing(work, hub) + b"".join(documents.values()) + caplog.text.encode()
    assert not [each for each in (*personal, SECRET) if each.encode() in told]
    # A second look finds nothing new, and nothing is sent.
    sent = len(hub.received)
    assert exchanged(ADAPTER, given, work, hub).sent == 0
    assert len(hub.received) == sent


class TestWebhook:
    @pytest.fixture
    def side(self, platform: Platform, here: Ground) -> Iterator[Side]:
        made = Side(platform, here, webhook=platform.webhook)
        made.take()
        yield made
        made.source.close()

    def test_what_is_posted_lands_as_it_came_and_once(self, platform: Platform, side: Side) -> None:
        port = side.source.webhook_port
        later = (datetime.now(UTC) + timedelta(seconds=5)).isoformat()
        for _ in range(2):
            assert platform.post(port, "msg_1", item(1), changed=later) == 204
        assert platform.post(port, "msg_2", item(2, deletedAt="2026-02-10T02:00:00+08:00"), resource="vouchers", changed=later) == 204
        assert side.here.names() == ["enterprises-posted-msg_1.json", "vouchers-posted-msg_2.json"]
        assert [(record.native_id, record.deleted) for record in side.here.records(ADAPTER)] == [("SH-1", False), ("SH-2", True)]

    def test_the_exact_bytes_land(self, side: Side, platform: Platform) -> None:
        port = side.source.webhook_port
        platform.post(port, "msg_1", item(1), changed=(datetime.now(UTC) + timedelta(seconds=5)).isoformat())
        body = json.loads(side.here.landed()[0].path.read_bytes())
        assert body["data"] == [item(1)]

    def test_what_a_pull_has_seen_the_end_of_is_acknowledged_and_changes_nothing(self, platform: Platform, side: Side) -> None:
        """A message that was held up must not undo what changed since."""
        platform.put("enterprises", item(1, name="新"))
        side.take()
        late = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
        assert platform.post(side.source.webhook_port, "msg_1", item(1, name="旧"), changed=late) == 204
        assert side.here.names() == ["enterprises-000001.json"]

    def test_both_secrets_count_while_one_is_replaced(self, platform: Platform, side: Side) -> None:
        later = (datetime.now(UTC) + timedelta(seconds=5)).isoformat()
        port = side.source.webhook_port
        assert platform.post(port, "msg_1", item(1), secrets=[OLD_SECRET], changed=later) == 204
        other = "whsec_" + "WFla" * 8
        assert platform.post(port, "msg_2", item(2), secrets=[other, WEBHOOK_SECRET], changed=later) == 204
        assert platform.post(port, "msg_3", item(3), secrets=[other], changed=later) == 401
        # A secret renewed in its file counts from the next message on.
        (platform.folder / "webhook1.secret").write_text(other, encoding="utf-8")
        assert platform.post(port, "msg_3", item(3), secrets=[other], changed=later) == 204
        assert platform.post(port, "msg_4", item(4), secrets=[OLD_SECRET], changed=later) == 401
        assert side.ids() == ["SH-1", "SH-2", "SH-3"]

    @pytest.mark.parametrize("minutes", [-6, 6])
    def test_a_message_of_another_time_is_refused(self, platform: Platform, side: Side, minutes: int) -> None:
        sent = int(side.clock.now().timestamp()) + minutes * 60
        assert platform.post(side.source.webhook_port, "msg_1", item(1), sent=sent) == 400
        assert side.here.names() == []

    @pytest.mark.parametrize(
        ("order", "status"),
        [
            ({"number": "a/../b"}, 401),
            ({"number": "msg.1"}, 401),
            ({"resource": "others"}, 400),
            ({"changed": "yesterday"}, 400),
            ({"changed": "2026-02-10T00:00:00"}, 400),
            ({"items": [{"remark": "长" * 5000}]}, 413),
        ],
    )
    def test_what_is_no_message_of_the_platforms_is_refused(
        self, platform: Platform, side: Side, order: dict[str, Any], status: int
    ) -> None:
        number, sent = order.pop("number", "msg_1"), order.pop("items", [item(1)])
        assert platform.post(side.source.webhook_port, number, *sent, **order) == status
        assert side.here.names() == []

    def test_nobody_else_gets_in(self, platform: Platform, side: Side) -> None:
        url = f"https://localhost:{side.source.webhook_port}"
        with httpx.Client(base_url=url, verify=platform.trust(), trust_env=False) as client:
            assert client.post("/webhooks", content=b"{}").status_code == 401
            assert client.get("/webhooks").status_code == 405
            assert client.get("/docs").status_code == 404

    def test_what_cannot_be_kept_is_not_acknowledged(self, platform: Platform, side: Side) -> None:
        later = (datetime.now(UTC) + timedelta(seconds=5)).isoformat()
        parts = side.here.work / "landing" / "parts"
        parts.rmdir()
        parts.write_bytes(b"")
        assert platform.post(side.source.webhook_port, "msg_1", item(1), changed=later) == 503
        parts.unlink()
        parts.mkdir()
        assert platform.post(side.source.webhook_port, "msg_1", item(1), changed=later) == 204
        assert side.ids() == ["SH-1"]

    def test_an_address_that_is_taken_is_told(self, platform: Platform, side: Side, here: Ground) -> None:
        webhook = {**platform.webhook, "listen": f"127.0.0.1:{side.source.webhook_port}"}
        second = connect(SourceSettings({**platform.given, "webhook": webhook}, here.work, here.landing))
        with pytest.raises(SourceFault, match=r"source\.webhook\.listen: 127\.0\.0\.1:\d+ cannot be had"):
            second.pull(here.landing)
        second.close()

    def test_a_backfill_beside_the_running_adapter_needs_no_address(self, platform: Platform, side: Side, here: Ground) -> None:
        webhook = {**platform.webhook, "listen": f"127.0.0.1:{side.source.webhook_port}"}
        second = connect(SourceSettings({**platform.given, "webhook": webhook}, here.work, here.landing))
        assert second.backfill(here.landing, "2024-01-01", "2024-12-31") is False
        second.close()

    def test_a_look_beside_the_running_adapter_opens_no_door(self, platform: Platform, side: Side, here: Ground, tmp_path: Path) -> None:
        """What the platform posts meanwhile is acknowledged by nobody who would throw it away."""
        platform.put("enterprises", item(1))
        webhook = {**platform.webhook, "listen": f"127.0.0.1:{side.source.webhook_port}"}
        landing = DryLanding(tmp_path / "dry", here.state)
        looking = connect(SourceSettings({**platform.given, "webhook": webhook}, here.work, landing, look_only=True))
        while looking.pull(landing):
            pass
        assert [delivery.name for delivery, _ in landing.landed] == ["enterprises-000001.json"]
        assert looking.webhook_port == 0
        looking.close()
