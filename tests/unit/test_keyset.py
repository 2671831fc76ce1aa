"""Pages: their size, and tokens that serve the list they were made for and no other."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

import pytest

from hub.application import keyset
from hub.application.keyset import Page, read_page
from hub.application.paging import asked_by, page_size, write_token
from hub.domain.caller import Caller, Role
from hub.domain.refusals import Refusal
from yrd.clearing.v1 import clearing_pb2 as pb
from yrd.policy.v1 import policy_pb2

CALLER = Caller("spiffe://330000/platform", "330000", Role.PLATFORM)
POSITION = ["word", "2026-03-01", "7"]
PARTS: Any = (keyset.word, keyset.day, keyset.number)


def asked(**fields: Any) -> pb.ListRedemptionsRequest:
    return pb.ListRedemptionsRequest(**{"issuer": "330000", "enterprise": "a", **fields})


def token_of(caller: Caller = CALLER, request: Any = None) -> str:
    """The token of the second page of a list."""
    page = read_page(caller, asked() if request is None else request, *PARTS)
    assert isinstance(page, Page)
    return page.cut(list(range(page.fetch)), lambda _: POSITION)[1]


def named(page: Page | Refusal) -> str:
    """Which field a refusal names."""
    assert isinstance(page, Refusal), page
    return ",".join(violation.field for violation in page.violations)


@pytest.mark.parametrize(("asked_for", "size"), [(0, 100), (1, 1), (100, 100), (1_000, 1_000), (1_001, 1_000), (2**31 - 1, 1_000)])
def test_a_page_is_as_large_as_asked_for_within_bounds(asked_for: int, size: int) -> None:
    assert page_size(asked_for) == size


@pytest.mark.parametrize("size", [-1, -(2**31)])
def test_a_negative_page_is_refused(size: int) -> None:
    assert named(read_page(CALLER, asked(page_size=size), *PARTS)) == "page_size"


def test_the_next_page_is_of_the_same_list_whatever_its_size() -> None:
    page = read_page(CALLER, asked(page_token=token_of(), page_size=3), *PARTS)
    assert isinstance(page, Page) and (page.size, page.after) == (3, ("word", date(2026, 3, 1), 7))


@pytest.mark.parametrize(
    ("caller", "request_"),
    [
        (CALLER, asked(issuer="310000")),
        (CALLER, asked(enterprise="")),
        (CALLER, asked(order_no="x")),
        (Caller("spiffe://330000/other", "330100", Role.PLATFORM), asked()),
        (Caller("spiffe://330000/other", "330000", Role.PROVIDER), asked()),
        (CALLER, policy_pb2.ListPoliciesRequest(issuer="330000")),
    ],
)
def test_a_token_serves_no_list_that_was_asked_for_otherwise(caller: Caller, request_: Any) -> None:
    request_.page_token = token_of()
    assert named(read_page(caller, request_, *PARTS)) == "page_token"
    # Its own it does serve.
    request_.page_token = ""
    request_.page_token = token_of(caller, request_)
    assert isinstance(read_page(caller, request_, *PARTS), Page)


@pytest.mark.parametrize(
    "position",
    [["a\x00", "2026-03-01", "7"], ["a", "2026-3-1", "7"], ["a", "2026-03-01", "-1"], ["a", "2026-03-01", str(2**63)], ["a", "", ""], []],
)
def test_parts_that_no_list_of_ours_has_are_refused(position: list[str]) -> None:
    forged = write_token([asked_by(CALLER, asked()), *position])
    assert named(read_page(CALLER, asked(page_token=forged), *PARTS)) == "page_token"


def test_a_token_without_its_list_is_refused() -> None:
    assert named(read_page(CALLER, asked(page_token=write_token(POSITION)), *PARTS)) == "page_token"
    assert named(read_page(CALLER, asked(page_token=write_token(["", *POSITION])), *PARTS)) == "page_token"
    assert named(read_page(CALLER, asked(page_token=write_token([asked_by(CALLER, asked()), "x"])), UUID)) == "page_token"
