"""Signatures of what Shanghai's platform posts, beside the worked example of the Standard Webhooks specification."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from adapters.shanghai.signing import is_message_id, is_recent, secret_of, signed

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ID, SENT, BODY = "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
KEYS = [secret_of(SECRET)]


def test_the_example_of_the_specification_is_good() -> None:
    assert signed(KEYS, ID, SENT, BODY, SIGNATURE)
    assert signed(KEYS, ID, SENT, BODY, f"v1a,AAAA v1,AAAA {SIGNATURE}")
    assert signed([b"x" * 24, *KEYS], ID, SENT, BODY, SIGNATURE)


@pytest.mark.parametrize(
    ("number", "sent", "body", "signature"),
    [
        ("msg_other", SENT, BODY, SIGNATURE),
        (ID, "1614265331", BODY, SIGNATURE),
        (ID, SENT, BODY + b" ", SIGNATURE),
        (ID, SENT, BODY, SIGNATURE.replace("v1,", "v2,")),
        (ID, SENT, BODY, SIGNATURE.removeprefix("v1,")),
        (ID, SENT, BODY, SIGNATURE[:-2]),
        (ID, SENT, BODY, "v1,\u00e9"),
        (ID, SENT, BODY, ""),
        # No more than ten are looked at: a header of thousands costs nothing.
        (ID, SENT, BODY, "v1,AAAA " * 10 + SIGNATURE),
    ],
)
def test_anything_else_is_not(number: str, sent: str, body: bytes, signature: str) -> None:
    assert not signed(KEYS, number, sent, body, signature)


def test_nothing_is_signed_by_no_key() -> None:
    assert not signed([], ID, SENT, BODY, SIGNATURE)


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_AAAA", SECRET.removeprefix("whsec_"), "whsec_" + "A" * 100, SECRET + "!"])
def test_a_secret_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be whsec_ and 24 to 64 bytes in base64"):
        secret_of(text)


@pytest.mark.parametrize(("seconds", "recent"), [(0, True), (300, True), (-300, True), (301, False), (-301, False)])
def test_five_minutes_either_way_are_recent(seconds: int, recent: bool) -> None:
    now = datetime.fromtimestamp(int(SENT), UTC) + timedelta(seconds=seconds)
    assert is_recent(SENT, now) is recent


@pytest.mark.parametrize("text", ["", "-1", "1e9", "now", "1614265330.5", "9" * 40, "１６１４２６５３３０"])
def test_a_time_of_another_form_is_not_recent(text: str) -> None:
    assert not is_recent(text, datetime.fromtimestamp(int(SENT), UTC))


def test_an_id_makes_a_safe_file_name() -> None:
    assert is_message_id(ID)
    assert not any(is_message_id(text) for text in ("", "a.b", "../a", "a/b", "a b", "é", "a" * 65, "a\n"))
