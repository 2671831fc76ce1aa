"""An atomic group is all of its commands, or as if it had never been sent, whatever else is in the batch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from hypothesis import event, given
from hypothesis import strategies as st

from hub.application.batching import GroupCommand
from hub.application.commands import Submission
from hub.application.redeeming import AuthorizeCommand, RedemptionCommand
from hub.codec.frames import batch_body, refusal_bytes
from hub.domain.caller import Caller
from tests.property.ledger import Ledger, frozen
from tests.property.profile import PROFILE
from tests.property.test_batch_is_sequence import batches
from tests.property.worlds import Item


def _group(items: Sequence[Item], caller: Caller) -> GroupCommand:
    submissions = tuple(Submission(command, str(place), b"") for place, (command, _) in enumerate(items))
    return GroupCommand(caller.participant_id, submissions)


def _halves(items: list[Item], cut: int) -> tuple[list[Item], list[Item], Caller]:
    """Return what goes before, and what the group is made of: commands on orders of the one caller who has most of them."""
    rest = [item for item in items[cut:] if isinstance(item[0], AuthorizeCommand | RedemptionCommand)]
    ((caller, _),) = Counter(caller for _, caller in rest or items).most_common(1)
    return items[:cut], [item for item in rest if item[1] == caller], caller


@PROFILE
@given(batches(), st.integers(0, 3), st.integers(0, 1))
def test_a_group_is_all_or_nothing(drawn: tuple[Ledger, list[Item]], cut: int, tail: int) -> None:
    ledger, items = drawn
    before, rest, caller = _halves(items, cut)
    grouped, after = rest[: len(rest) - tail], rest[max(len(rest) - tail, 0) :]
    one_by_one = ledger.copy()
    expected = [*(one_by_one.run_batch(before)), *one_by_one.run_batch(grouped)][len(before) :]
    whole = all(outcome.ok for outcome in expected)
    event("applied" if whole and grouped else "empty" if not grouped else f"refused at {[o.ok for o in expected].index(False)}")

    together, apart = ledger.copy(), ledger.copy()
    outcomes = together.run_batch([*before, (_group(grouped, caller), caller), *after])
    alone = apart.run_batch([*before, *(grouped if whole else ()), *after])
    assert frozen(together) == frozen(apart)
    assert outcomes[: len(before)] == alone[: len(before)]
    assert outcomes[len(before) + 1 :] == alone[len(alone) - len(after) :]
    answer = outcomes[len(before)]
    if whole:
        assert (answer.status, answer.body) == (0, batch_body(expected))
    else:
        first = next(outcome for outcome in expected if not outcome.ok)
        assert answer.status == first.status and refusal_bytes(answer) == refusal_bytes(first)
