"""Why a native record is quarantined: stable codes with their texts."""

from __future__ import annotations

from typing import Final

REASONS: Final[dict[str, tuple[str, str]]] = {
    "ENCODING": ("字节不合{detail}编码", "the bytes are not {detail}"),
    "UNPARSEABLE": ("无法解析：{detail}", "cannot be parsed: {detail}"),
    "UNKNOWN_FILE": ("文件名不属于本省约定的任何一种", "the name is none of those agreed with the province"),
    "FAULT": ("处理该行时出错：{detail}", "the row could not be handled: {detail}"),
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
    "ANOTHER_FIRM": (
        "该编号已用于登记企业{detail}，改为另一企业须换新编号",
        "firm {detail} was registered under this id; another firm needs another id",
    ),
    "CANNOT_DEREGISTER": (
        "枢纽不注销企业：已登记的企业不能以撤销方式删除",
        "the hub keeps every firm it knows: there is no command to take one away",
    ),
    "SHARED_FIRM": (
        "另有记录涉及同一机构{detail}，撤销将波及该记录",
        "another record is about {detail} as well; taking this one back would take back both",
    ),
    "VOUCHER_USED": ("券已部分使用，不能改发", "the note was used, wholly or in part; it cannot be issued otherwise"),
    "NUMBER_TOO_LONG": (
        "券号超过{detail}个字符，无法加注改发序号",
        "longer than {detail} characters: there is no room for the mark of a note issued again",
    ),
    "CAPTURED_ALREADY": ("该授权已提交兑付，不能再改或撤销", "the authorization was captured; it can be neither changed nor withdrawn"),
    "CHANGED_AFTER_CAPTURE": (
        "兑付已受理：只有金额调低可自动退款，其他改动须人工处理",
        "it was captured: lower amounts are refunded, any other change is an officer's to decide",
    ),
    "UNDER_REVIEW": ("兑付正在发券地审核，此时不能退款", "the capture is under review by the issuer; it cannot be refunded now"),
    "NEEDS_AUTHORIZATION": ("原授权已退回或关闭，须重新报送授权", "the redemption is refunded or closed; a new authorization is needed"),
    "MEMORY_LOST": (
        "枢纽在此编号下另有内容（本地记录曾丢失），不自动重发",
        "the hub knows this id with other content (the adapter's memory was lost); it is not sent again by itself",
    ),
    "CORRECTION_REFUSED": ("更正或撤销未被受理：{detail}", "the correction or withdrawal was refused: {detail}"),
    "TOO_LARGE": ("超出允许的大小（{detail}）", "larger than allowed: {detail}"),
    "HIDDEN_SHEET": (
        "工作表“{detail}”处于隐藏状态，不予读取；请取消隐藏或删除",
        "the sheet {detail} is hidden and was not read: unhide or remove it",
    ),
    "CELL_ERROR": ("单元格为错误值{detail}", "the cell holds the error {detail}"),
    "FORMULA_UNSAVED": (
        "公式没有计算结果：请在办公软件中打开并保存后重报",
        "a formula without its result: open the workbook in an office program, save it and hand it in again",
    ),
    "DIGITS_LOST": (
        "数字超过15位，电子表格不能保真：请将该列设为文本",
        "a number of more than 15 digits, which a spreadsheet does not keep: make the column text",
    ),
    "ROW_VANISHED": (
        "此前报送的行在新版中不见（原在{detail}），未作撤销处理：如需撤销请恢复该行并标注作废",
        "a row of an earlier edition (at {detail}) is no longer there; it was not withdrawn: to withdraw it, put it back and mark it",
    ),
    "UNKNOWN_ORDER": ("订单{detail}未曾报送授权", "order {detail} was never sent for authorization"),
    "NOT_AUTHORIZED": ("订单{detail}未获授权", "order {detail} was not authorized"),
}
"""Code → (Chinese, English); `{detail}` is filled in where it stands."""


def describe(code: str, detail: str = "") -> tuple[str, str]:
    """Return the Chinese and English text of a reason code."""
    zh, en = REASONS[code]
    return zh.format(detail=detail), en.format(detail=detail)
