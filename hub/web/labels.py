"""Words of the page in two languages, and what is hidden of identifiers."""

from __future__ import annotations

import re
from datetime import date

from hub.domain.model import State
from hub.web.divisions import DivisionNames
from hub.web.overview import Label

_STATES = {
    State.AUTHORIZED: ("已预留", "Authorized"),
    State.PENDING_REVIEW: ("待审核", "Pending review"),
    State.HELD: ("已暂缓", "Held"),
    State.CLEARED: ("已清算", "Cleared"),
    State.SETTLED: ("已兑付", "Settled"),
    State.VOIDED: ("已撤销", "Voided"),
    State.EXPIRED: ("已过期", "Expired"),
    State.REJECTED: ("已驳回", "Rejected"),
    State.REFUNDED: ("已退款", "Refunded"),
}

_CAUSES = {
    "Authorize": "抵用申请",
    "Capture": "兑付提交",
    "Approve": "审核通过",
    "Reject": "审核驳回",
    "Void": "撤销",
    "Refund": "退款",
    "Expire": "到期释放",
    "Settle": "付款确认",
}

# Unified social credit codes (GB 32100) use no I, O, S, V, Z.
_USCC = re.compile(r"(?<![0-9A-Z])[0-9A-HJ-NPQRTUWXY]{18}(?![0-9A-Z])")


def division_label(names: DivisionNames, code: str, day: date) -> Label:
    """Return a division with its names on `day`."""
    name = names.name(code, day)
    return Label(code=code, zh=name.zh, en=name.en)


def state_label(state: str) -> Label:
    """Return a redemption's state with its names."""
    zh, en = _STATES[State(state)]
    return Label(code=state, zh=zh, en=en)


def cause_label(cause: str) -> Label:
    """Return a command with its names; an unknown one stands for itself."""
    return Label(code=cause, zh=_CAUSES.get(cause, cause), en=cause)


def masked(uscc: str) -> str:
    """Return a unified social credit code with its middle hidden, such as `9131****T16`."""
    return f"{uscc[:4]}****{uscc[-3:]}"


def without_codes(sentence: str) -> str:
    """Return a sentence with every unified social credit code in it masked."""
    return _USCC.sub(lambda match: masked(match.group()), sentence)
