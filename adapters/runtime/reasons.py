"""Why a native record is quarantined: stable codes with their texts."""

from __future__ import annotations

from typing import Final

REASONS: Final[dict[str, tuple[str, str]]] = {
    "ENCODING": ("字节不合{detail}编码", "the bytes are not {detail}"),
    "UNPARSEABLE": ("无法解析：{detail}", "cannot be parsed: {detail}"),
    "MISSING_COLUMN": ("列数不足：应有{detail}列", "too few columns: {detail} are expected"),
    "EXTRA_COLUMN": ("列数过多：应有{detail}列", "too many columns: {detail} are expected"),
    "MISSING_FIELD": ("必填项为空", "the field is required and is empty or absent"),
    "TOO_LONG": ("超过{detail}个字符", "longer than {detail} characters"),
    "BAD_TEXT": ("含有控制字符", "holds control characters"),
    "BAD_USCC": ("统一社会信用代码校验不通过", "not a valid unified social credit code (length, alphabet or check digit)"),
    "BAD_AMOUNT": ("不是金额", "not an amount"),
    "TOO_MANY_DECIMALS": ("金额须为整数分（以元计最多两位小数）", "the amount must be whole fen: in yuan at most two decimals"),
    "AMOUNT_NOT_POSITIVE": ("金额须大于零", "the amount must be greater than zero"),
    "AMOUNT_TOO_LARGE": ("金额超出上限", "the amount is larger than can be carried exactly"),
    "BAD_NUMBER": ("不是整数，或不在允许范围（{detail}）", "not a whole number in the range {detail}"),
    "BAD_DATE": ("不是{detail}格式的有效日期", "not a valid date of the form {detail}"),
    "BAD_PERIOD": ("起始日期不早于截止日期", "the period does not begin before it ends"),
    "UNMAPPED_CODE": ("代码表“{detail}”中没有此值", "the code list {detail} has no such value"),
    "WRONG_DIVISION": ("行政区划不属于{detail}", "the division is neither {detail} nor below it"),
    "BAD_DIVISION": ("不是六位行政区划代码（GB/T 2260）", "not a six-digit division code (GB/T 2260)"),
    "BAD_SME_NO": ("科技型中小企业入库登记编号格式不符", "not a technology SME registration number"),
    "BAD_FLAG": ("应为{detail}", "must be one of {detail}"),
    "BAD_HASH": ("不是SHA-256摘要", "not a SHA-256 digest in hexadecimal"),
    "NO_LINES": ("订单没有明细", "the order has no line"),
    "DUPLICATE_ID": ("编号重复而内容不同，首条见{detail}", "the same id came before with other content, at {detail}"),
    "CHANGED_AFTER_SENT": (
        "已送达的记录内容有改动；此类记录只生效一次",
        "it was sent and took effect; it cannot be changed afterwards",
    ),
    "UNKNOWN_ORDER": ("订单{detail}未曾报送授权", "order {detail} was never sent for authorization"),
    "NOT_AUTHORIZED": ("订单{detail}未获授权", "order {detail} was not authorized"),
}
"""Code → (Chinese, English); `{detail}` is filled in where it stands."""


def describe(code: str, detail: str = "") -> tuple[str, str]:
    """Return the Chinese and English text of a reason code."""
    zh, en = REASONS[code]
    return zh.format(detail=detail), en.format(detail=detail)
