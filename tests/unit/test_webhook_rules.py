"""Which addresses the hub speaks to, how it signs, when it tries again."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hub.domain.webhooks import GIVE_UP_AFTER, LONGEST_PAUSE, address_is_open, fault_of_url, given_up, pause_after
from hub.security.webhook_keys import KEY, NEXT_KEY, WebhookKeys

AT = datetime(2026, 3, 2, 1, 2, 3, tzinfo=UTC)


@pytest.mark.parametrize("address", ["8.8.8.8", "114.114.114.114", "2400:3200::1", "::ffff:8.8.8.8"])
def test_public_addresses_are_open(address: str) -> None:
    assert address_is_open(address, [])


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255",
        "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::a00:1",
        "2002:7f00:1::",
    ],
)  # fmt: skip
def test_addresses_that_only_the_hub_can_reach_are_not(address: str) -> None:
    assert not address_is_open(address, [])


def test_the_operator_may_open_a_network() -> None:
    assert address_is_open("10.2.3.4", ["10.2.0.0/16"]) and address_is_open("::ffff:10.2.3.4", ["10.2.0.0/16"])
    assert not address_is_open("10.3.0.1", ["10.2.0.0/16", "fd00::/8"])
    assert address_is_open("fd00::1", ["10.2.0.0/16", "fd00::/8"])


@pytest.mark.parametrize("url", ["https://hooks.example.cn/events", "https://8.8.8.8:8443/x?y=1", "https://[2400:3200::1]/"])
def test_good_urls(url: str) -> None:
    assert fault_of_url(url, []) == ""


@pytest.mark.parametrize(
    "url",
    [
        "", "http://hooks.example.cn/", "ftp://x.cn", "https://", "https:///x", "https://user@x.cn/", "https://u:p@x.cn/", "https://x.cn/#f",
        "https://localhost/", "https://intranet/", "https://127.0.0.1/", "https://[::1]/", "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.1/", "https://x.cn:99999/", "https://x.cn/ y", "https://x.cn/\r\nHost: y", "https://例子.cn/",
        f"https://x.cn/{'a' * 500}",
        "https://[::ffff:127.0.0.1]/", "https://[x/",
    ],
)  # fmt: skip
def test_bad_urls(url: str) -> None:
    assert fault_of_url(url, [])


def test_pauses_double_up_to_an_hour_and_end_after_five_days() -> None:
    assert [pause_after(n).total_seconds() for n in (1, 2, 3)] == [5, 10, 20]
    assert pause_after(11) == pause_after(10**6) == LONGEST_PAUSE
    assert not given_up(AT, AT + GIVE_UP_AFTER - timedelta(seconds=1)) and given_up(AT, AT + GIVE_UP_AFTER)


def verify(public: str, headers: dict[str, str], body: bytes) -> bool:
    """As a receiver would: any signature by the key it knows."""
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public.removeprefix("whpk_")))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    for each in headers["webhook-signature"].split(" "):
        version, _, signature = each.partition(",")
        assert version == "v1a"
        try:
            key.verify(base64.b64decode(signature), signed)
        except InvalidSignature:
            continue
        return True
    return False


def test_a_signature_is_over_id_time_and_body(tmp_path: Path) -> None:
    keys = WebhookKeys.load(tmp_path, make=True)
    (public,) = keys.public
    headers = keys.headers("evt_7", AT, b"\x00\xff")
    assert headers["webhook-timestamp"] == str(int(AT.timestamp()))
    assert verify(public, headers, b"\x00\xff")
    assert not verify(public, headers, b"\x00\xfe")
    assert not verify(public, {**headers, "webhook-id": "evt_8"}, b"\x00\xff")
    assert not verify(public, {**headers, "webhook-timestamp": "1"}, b"\x00\xff")
    assert WebhookKeys.load(tmp_path, make=True).public == [public], "a key once made stays"
    assert (tmp_path / KEY).stat().st_mode & 0o077 == 0


def test_while_keys_are_replaced_every_signature_is_by_both(tmp_path: Path) -> None:
    old = WebhookKeys.load(tmp_path, make=True).public
    other = tmp_path / "other"
    other.mkdir()
    new = WebhookKeys.load(other, make=True).public
    (tmp_path / NEXT_KEY).write_bytes((other / KEY).read_bytes())
    keys = WebhookKeys.load(tmp_path)
    assert keys.public == old + new
    headers = keys.headers("evt_1", AT, b"x")
    assert all(verify(public, headers, b"x") for public in keys.public)
    assert WebhookKeys.load(tmp_path / "none").public == []
