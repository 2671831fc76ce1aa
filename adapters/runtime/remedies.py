"""What an officer or the province's engineer does about a quarantined row, by its reason."""

from __future__ import annotations

from typing import Final

_AT_SOURCE: Final = (
    "在来源系统中更正该字段后重新报送；更正后的记录到达时，本行自动离开隔离区",
    "Correct the field at its source and deliver the record again; this row leaves the quarantine by itself when it comes",
)
_FILE: Final = (
    "检查文件的编码与格式，重新导出后报送",
    "Check the file's encoding and form, export it again and deliver it",
)
_OFFICER: Final = (
    "先处理所列原因，再执行 retry；如决定维持枢纽现状，以 discard 注明理由",
    "Settle what the reason names, then `retry`; or `discard` with a reason if what the hub holds is to stay",
)

REMEDIES: Final[dict[str, tuple[str, str]]] = {
    "ENCODING": _FILE,
    "UNPARSEABLE": _FILE,
    "MISSING_COLUMN": _FILE,
    "EXTRA_COLUMN": _FILE,
    "UNMAPPED_CODE": (
        "在该省 codes.yaml 的代码表中补上此值（须经业务确认），然后 retry；或在来源系统中更正",
        "Add the value to its code list in the province's codes.yaml once its meaning is sure, then `retry`; or correct it at its source",
    ),
    "DUPLICATE_ID": (
        "确认两条中哪一条正确，另一条换新编号后重新报送",
        "Find out which of the two is right; deliver the other one under an id of its own",
    ),
    "CHANGED_AFTER_SENT": (
        "政策不改只续：以新版本号发布新内容，并恢复旧版本原文",
        "A policy is superseded, never edited: publish the new text under a new version and put the old text back",
    ),
    "ANOTHER_FIRM": (
        "为正确的企业使用新编号报送；原企业如登记有误，将其登记有效期止改为过去日期",
        "Deliver the right firm under a new id; if the old one was registered by mistake, end its registration with a date in the past",
    ),
    "CANNOT_DEREGISTER": (
        "将该企业的科技型中小企业登记有效期止改为过去日期即不再获授权；撤销其未用的券；确有失信情形的，列入负面名单",
        "End the firm's SME registration with a date in the past and nothing more is authorized for it; withdraw its unused notes; "
        "where it broke faith, put it on the negative list",
    ),
    "SHARED_FIRM": (
        "合并涉及同一机构的记录，只保留一条后重新报送；或由管理员在枢纽直接撤销后 discard 本行",
        "Merge the records of this provider into one and deliver it; or end it at the hub by hand and `discard` this row",
    ),
    "VOUCHER_USED": (
        "不能改已使用的券：如需补发差额，以新编号、新券号报送一张新券；如需收回余额，报送撤销",
        "A used note stays as issued: deliver a new note under a new id for a difference to be granted; withdraw it to take the rest back",
    ),
    "NUMBER_TOO_LONG": ("换用较短的新券号重新报送", "Deliver the corrected note under a shorter number"),
    "CAPTURED_ALREADY": (
        "先撤销或调低对应的兑付记录（退款），再 retry 本行",
        "Withdraw or lower the capture first (it is refunded), then `retry` this row",
    ),
    "CHANGED_AFTER_CAPTURE": (
        "金额有误：撤销兑付（全额退款）后以新授权重报；其他字段有误：由发券地与服务地管理员协商，保留则 discard",
        "Wrong amounts: withdraw the capture (all is refunded) and deliver a new authorization; other fields: the officers of both "
        "regions decide, and `discard` if it stays",
    ),
    "UNDER_REVIEW": (
        "请发券地管理员核定较低金额（Approve）或驳回（Reject），审结后 retry",
        "Ask the issuer's officer to approve the lower amount or to reject; `retry` once that is done",
    ),
    "NEEDS_AUTHORIZATION": (
        "以新编号报送授权，兑付记录引用该新授权",
        "Deliver a new authorization under a new id and let the capture name it",
    ),
    "MEMORY_LOST": (
        "用 `deltahub adapter backfill` 按原顺序补读历史文件；核对枢纽已有内容后再决定 discard 或以新编号报送",
        "Read the history again in its order with `deltahub adapter backfill`; compare with what the hub holds, then `discard` or deliver "
        "it under a new id",
    ),
    "CORRECTION_REFUSED": _OFFICER,
    "UNKNOWN_ORDER": (
        "先报送所引用的授权；授权到达后 retry",
        "Deliver the authorization it names; `retry` once that has come",
    ),
    "NOT_AUTHORIZED": (
        "查明授权被拒的原因并更正授权，再 retry",
        "See why the authorization was refused and correct it, then `retry`",
    ),
}
"""Code → (Chinese, English). A code that is not here is mended at its source."""


def remedy(code: str) -> tuple[str, str]:
    """Return what to do about a reason, in Chinese and in English."""
    return REMEDIES.get(code, _AT_SOURCE)
