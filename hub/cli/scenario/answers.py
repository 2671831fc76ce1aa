"""Answers of the hub → outcomes, in the words of expectations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from google.protobuf.message import Message

from hub.cli.scenario.model import Fen, Got, Outcome
from hub.client import CallResult
from yrd.clearing.v1 import clearing_pb2
from yrd.common.v1 import refusal_pb2

REFUSED = "REFUSED"

M = TypeVar("M", bound=Message)


def outcome(result: CallResult[Any], read: Callable[[Any], Outcome]) -> Outcome:
    """Return the outcome of a call; `read` makes one of the response where there is one."""
    if result.refusal is None:
        return read(result.unwrap())
    return refused(result.code, in_words(result.refusal))


def in_words(refusal: refusal_pb2.Refusal) -> str:
    """Return a refusal in words: the fields at fault where there are any, else what happened."""
    return "; ".join(f"{each.field}: {each.description}" for each in refusal.violations) or refusal.en


def refused(code: str, text: str) -> Outcome:
    """Return a refusal."""
    return Outcome(REFUSED, code, text, {"status": REFUSED, "refusal": code})


def done(status: str, **values: Got) -> Outcome:
    """Return a success."""
    return Outcome(status, values={"status": status, **values})


def redemption_state(redemption: clearing_pb2.Redemption) -> str:
    """Return the state's short name, such as `CLEARED`."""
    return clearing_pb2.RedemptionState.Name(redemption.state).removeprefix("REDEMPTION_STATE_")


def amounts(breakdown: clearing_pb2.Breakdown) -> dict[str, Got]:
    """Return how an amount came about."""
    return {
        "subsidy": Fen(breakdown.subsidy_fen),
        "entitlement": Fen(breakdown.entitlement_fen),
        "enterprise_pays": Fen(breakdown.enterprise_pays_fen),
        "vouchers_used": breakdown.vouchers_used,
        "clamps": list(breakdown.clamps),
    }
