"""The fields of a policy in plain words, Chinese and English: names, values, and what a field that is left out means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from yrd.common.v1 import types_pb2 as types
from yrd.policy.v1 import policy_pb2 as pb


class Words(NamedTuple):
    """The same in Chinese and in English."""

    zh: str
    en: str


NO_LIMIT: Final = Words("不设限", "no limit")


def yuan(fen: int) -> Words:
    """Return an amount in words, such as `300,000 yuan`; decimals only where there are any."""
    whole, rest = divmod(fen, 100)
    number = f"{whole:,}.{rest:02d}" if rest else f"{whole:,}"
    return Words(f"{number}元", f"{number} yuan")


def percent(bp: int) -> Words:
    """Return basis points as a percentage."""
    number = f"{bp / 100:.2f}".rstrip("0").rstrip(".") + "%"
    return Words(number, number)


_MONTHS: Final = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"]


def day(text: str) -> Words:
    """Return a date `YYYY-MM-DD` in words; empty is an open end."""
    if not text:
        return Words("长期有效", "open")
    year, month, number = (int(part) for part in text.split("-"))
    return Words(f"{year}年{month}月{number}日", f"{number} {_MONTHS[month - 1]} {year}")


def _counted(zh: str, en: str) -> Callable[[int], Words]:
    return lambda number: Words(f"{number}{zh}", f"{number} {en}" + ("" if number == 1 else "s"))


def _face(fen: int) -> Words:
    return yuan(fen) if fen else Words("任意面额", "any amount")


def _rating(hundredths: int) -> Words:
    number = f"{hundredths / 100:.2f}"
    return Words(number, number) if hundredths else Words("不要求", "none")


def _text(value: str) -> Words:
    return Words(value, value)


def quoted(value: str) -> Words:
    """Return a text between quotation marks."""
    return Words(f"“{value}”", f"“{value}”")


def _yes(value: bool) -> Words:
    return Words("需要", "required") if value else Words("不需要", "not required")


CATEGORIES: Final = {
    types.CATEGORY_REAGENT: Words("试剂", "reagents"),
    types.CATEGORY_LAB_ANIMAL: Words("实验动物", "laboratory animals"),
    types.CATEGORY_DATA: Words("科学数据", "data"),
    types.CATEGORY_LITERATURE: Words("科技文献", "literature"),
    types.CATEGORY_ST_REPORT: Words("科技报告", "S&T reports"),
    types.CATEGORY_GERMPLASM: Words("种质资源", "germplasm"),
    types.CATEGORY_RESEARCH: Words("研究开发", "research and development"),
    types.CATEGORY_TECH_TRANSFER: Words("技术转移", "technology transfer"),
    types.CATEGORY_INSPECTION_TESTING: Words("检验检测认证", "inspection and testing"),
    types.CATEGORY_INCUBATION: Words("创业孵化", "incubation"),
    types.CATEGORY_IP: Words("知识产权", "intellectual property"),
    types.CATEGORY_CONSULTING: Words("科技咨询", "consulting"),
    types.CATEGORY_ST_FINANCE: Words("科技金融", "S&T finance"),
    types.CATEGORY_INSTRUMENT: Words("大型科研仪器", "large instruments"),
}
KINDS: Final = {
    types.ENTERPRISE_KIND_TECH_SME: Words("科技型中小企业", "technology SMEs"),
    types.ENTERPRISE_KIND_START_UP_TECH: Words("科技初创企业", "technology start-ups"),
    types.ENTERPRISE_KIND_TEAM: Words("创新创业团队", "innovation teams"),
    types.ENTERPRISE_KIND_ABOVE_SCALE: Words("规模以上企业", "above-scale enterprises"),
}
EVIDENCE: Final = {
    types.EVIDENCE_KIND_CONTRACT: Words("合同", "contract"),
    types.EVIDENCE_KIND_INVOICE: Words("发票", "invoice"),
    types.EVIDENCE_KIND_PAYMENT_PROOF: Words("付款凭证", "proof of payment"),
    types.EVIDENCE_KIND_RESULT_REPORT: Words("成果报告", "result report"),
}
_MODES: Final = {
    pb.MODE_PRE_SUBSIDY: Words("通兑(付给服务机构)", "pre-subsidy, the provider is paid"),
    pb.MODE_POST_SUBSIDY: Words("通用(返给企业)", "post-subsidy, the enterprise is paid back"),
}
_EXPIRY: Final = {
    pb.EXPIRY_BASIS_CLAIM: Words("到期前须提交兑付", "capture before expiry"),
    pb.EXPIRY_BASIS_USE: Words("到期前须完成预留", "authorization before expiry"),
}
_QUOTA: Final = {
    pb.QUOTA_BASIS_OFFSET: Words("按抵用金额计", "the subsidy counts"),
    pb.QUOTA_BASIS_FACE: Words("按所用券面额计", "the face of the notes drawn counts"),
}
_RESIDUAL: Final = {
    pb.RESIDUAL_RETAIN: Words("余额保留在券上", "the note keeps its rest"),
    pb.RESIDUAL_FORFEIT: Words("余额退回发券地", "the rest of a drawn note returns to the issuer"),
}
_REFUND: Final = {
    pb.REFUND_TARGET_TO_FINANCE: Words("财政", "the issuer's finance"),
    pb.REFUND_TARGET_TO_VOUCHER: Words("原券", "the voucher"),
}
_SETTLEMENT: Final = {
    pb.SETTLEMENT_MODEL_DIRECT: Words("直接结算", "direct"),
    pb.SETTLEMENT_MODEL_NET: Words("轧差结算", "net"),
}
_RECOGNITION: Final = {
    pb.RECOGNITION_DEFAULT_POOL: Words("资源池内全部服务机构", "every provider of the pool"),
    pb.RECOGNITION_DEFAULT_LISTED: Words("仅限逐一互认的服务机构", "only providers recognised by name"),
}


@dataclass(frozen=True, slots=True)
class Named:
    """A field in words. `kind` is how it differs: `number` rises and falls, `value` changes; `default` is what leaving it out means.

    `optional` fields may be absent, and absent is no limit.
    """

    words: Words
    say: Callable[[Any], Words]
    kind: str = "value"
    default: Any = None
    optional: bool = False


def _choice(zh: str, en: str, choices: dict[Any, Words], default: Any = None) -> Named:
    return Named(Words(zh, en), lambda value: choices.get(value, Words("未指定", "unspecified")), default=default)


def _amount(zh: str, en: str, *, optional: bool = False, say: Callable[[int], Words] = yuan) -> Named:
    return Named(Words(zh, en), say, "number", 0, optional)


FIELDS: Final[dict[str, Named]] = {
    "issuer": Named(Words("发券地", "issuer"), _text),
    "version": Named(Words("版本", "version"), _text),
    "effective_from": Named(Words("生效日期", "first day in force"), day),
    "effective_until": Named(Words("失效日期", "first day no longer in force"), day),
    "mode": _choice("补贴方式", "mode", _MODES),
    "denomination_fen": _amount("券面额", "denomination", say=_face),
    "validity_months": Named(Words("券有效期", "validity of notes"), _counted("个月", "month"), "number", 12),
    "expiry_basis": _choice("到期口径", "expiry basis", _EXPIRY, pb.EXPIRY_BASIS_CLAIM),
    "prefund_fen": _amount("普发金额", "bulk issue per enterprise"),
    "annual_cap_fen": _amount("年度兑付上限", "annual cap"),
    "annual_issue_cap_fen": _amount("年度申请上限", "annual issue cap", optional=True),
    "quota_basis": _choice("额度口径", "quota basis", _QUOTA, pb.QUOTA_BASIS_OFFSET),
    "per_order_cap_fen": _amount("单笔上限", "cap per order", optional=True),
    "residual": _choice("券余额处理", "rest of a partly drawn note", _RESIDUAL, pb.RESIDUAL_RETAIN),
    "auto_clear_up_to_fen": _amount("免审核金额上限", "amount that clears without review", optional=True),
    "authorization_ttl_days": Named(Words("预留有效天数", "life of an authorization"), _counted("天", "day"), "number", 90),
    "refund": _choice("退款去向", "where refunds go", _REFUND, pb.REFUND_TARGET_TO_FINANCE),
    "settlement": _choice("结算方式", "settlement", _SETTLEMENT, pb.SETTLEMENT_MODEL_DIRECT),
}
"""Fields of one value, by protobuf name. `version` and the two dates are what a version is, not what it changes."""

RECOGNITION: Final[dict[str, Named]] = {
    "default": _choice("互认范围", "recognised providers", _RECOGNITION, pb.RECOGNITION_DEFAULT_LISTED),
    "require_agreement": Named(Words("三方协议", "tripartite agreement"), _yes, default=False),
    "min_rating": Named(Words("服务机构最低评分", "least rating of a provider"), _rating, "number", 0),
}
CATEGORY: Final[dict[str, Named]] = {
    "category": _choice("类别", "category", CATEGORIES),
    "ratio_bp": Named(Words("补贴比例", "share of the fee"), percent, "number", 0),
    "per_line_cap_fen": _amount("单项上限", "cap per line", optional=True),
}
CONDITION: Final[dict[str, Named]] = {
    "id": Named(Words("编号", "id"), quoted),
    "cel": Named(Words("表达式", "expression"), quoted),
    "zh": Named(Words("中文说明", "Chinese text"), quoted),
    "en": Named(Words("英文说明", "English text"), quoted),
}
FUNDING: Final[dict[str, Named]] = {
    "division": Named(Words("出资地", "funder"), _text),
    "share_bp": Named(Words("出资比例", "share"), percent, "number", 0),
}
SETS: Final[dict[str, tuple[Words, dict[Any, Words], tuple[int, ...]]]] = {
    "eligible": (Words("支持对象", "eligible enterprises"), KINDS, (types.ENTERPRISE_KIND_TECH_SME,)),
    "evidence": (Words("兑付凭证", "evidence"), EVIDENCE, (types.EVIDENCE_KIND_INVOICE,)),
}
"""Fields that are sets of choices: their name, the choices in words, and what an empty one means."""
