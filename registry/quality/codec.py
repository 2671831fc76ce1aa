"""Reviews and ratings as messages, the ratings in words as well, so that an officer can follow and an auditor repeat them."""

from __future__ import annotations

from datetime import date

from hub.codec.encode import timestamp
from hub.codec.events import POOL, Event, event
from hub.domain.money import format_yuan
from registry.quality.domain import Formula, Part, PartScore, Score
from registry.quality.tables import ReviewRow, ScoreRow
from yrd.events.v1 import events_pb2
from yrd.registry.v1 import quality_pb2 as pb

_NAMES = {
    Part.REVIEWS: ("企业评价", "reviews by enterprises"),
    Part.DELIVERY: ("交付时效", "time to delivery"),
    Part.REFUNDS: ("退款情况", "refunds"),
    Part.OBJECTIONS: ("驳回与争议", "rejections and disputes"),
}


def review_message(row: ReviewRow) -> pb.Review:
    """A review."""
    return pb.Review(
        provider=row.provider,
        order_no=row.order_no,
        enterprise=row.enterprise,
        stars=row.stars,
        disputed=row.disputed,
        comment=row.comment,
        filed_by=row.filed_by,
        filed_at=timestamp(row.filed_at),
        annulled_reason=row.annulled_reason,
    )


def never_rated(provider: str, listed_from: date | None) -> pb.ProviderQuality:
    """What is said of a provider of which no order has ended yet."""
    return pb.ProviderQuality(
        provider=provider,
        listed_from=listed_from.isoformat() if listed_from else "",
        zh="尚无已结算或已驳回的订单,暂以所在地准入时的评分为准",
        en="no order has ended yet; the rating of its home province stands",
    )


def quality_message(row: ScoreRow, item: Score, formula: Formula, listed_from: date | None) -> pb.ProviderQuality:
    """A rating with all it rests on. `formula` gives the weights where the rating is of its version."""
    zh, en = _summary(item, formula if formula.version == row.formula_version else None)
    return pb.ProviderQuality(
        provider=row.provider,
        rating=item.rating,
        rated_on=row.computed_on.isoformat(),
        formula_version=row.formula_version,
        inputs_sha256=row.inputs_sha256.hex(),
        orders=item.orders,
        enterprises=item.enterprises,
        cleared_fen=item.cleared_fen,
        refunded_fen=item.refunded_fen,
        delivery_days_median=item.delivery_days_median,
        parts=[_part(part, item.parts[part]) for part in Part],
        listed_from=listed_from.isoformat() if listed_from else "",
        zh=zh,
        en=en,
    )


def _part(part: Part, item: PartScore) -> pb.QualityPart:
    zh, en = _NAMES[part]
    value, mean = _stars(item.value), _stars(item.pool_mean)
    return pb.QualityPart(
        name=part.value,
        weight=item.weight,
        value=item.value,
        pool_mean=item.pool_mean,
        votes=item.votes,
        own_share=item.own_share,
        zh=f"{zh}:{value},权重 {item.weight}%;依据 {item.votes} 笔订单,占 {item.own_share}%,其余以全库均值 {mean} 计",
        en=f"{en}: {value}, weight {item.weight} %; from {item.votes} orders, {item.own_share} % of it, the rest the pool mean of {mean}",
    )


def _summary(item: Score, formula: Formula | None) -> tuple[str, str]:
    cleared = format_yuan(item.cleared_fen)
    if item.rating:
        steps = " + ".join(f"{part.weight}% × {_stars(part.value)}" for part in item.parts.values())
        counted = f"{item.orders} 笔订单、{item.enterprises} 家企业、净兑付 {cleared} 元"
        zh = f"评分 {_stars(item.rating)} = {steps};依据{counted},交付天数中位数 {item.delivery_days_median}"
        en = (
            f"rating {_stars(item.rating)} = {steps}; from {item.orders} orders of {item.enterprises} enterprises, {cleared} yuan cleared, "
            f"median of {item.delivery_days_median} days to delivery"
        )
        return zh, en
    least = (
        ("", "")
        if formula is None
        else (
            f"(至少 {formula.orders_min} 笔、{formula.enterprises_min} 家)",
            f" (at least {formula.orders_min} of {formula.enterprises_min})",
        )
    )
    zh = f"仅有 {item.enterprises} 家企业的 {item.orders} 笔订单,不足以评分{least[0]};暂以所在地准入时的评分为准"
    en = f"{item.orders} orders of {item.enterprises} enterprises are too few to rate by{least[1]}; the rating of its home province stands"
    return zh, en


def _stars(hundredths: int) -> str:
    return f"{hundredths // 100}.{hundredths % 100:02d}"


def listing_changed(provider: str, listed: bool, today: date) -> Event:
    """Tell everyone that a provider came onto the list or left it; in order with the provider's own changes."""
    return event(POOL, provider, events_pb2.QualityListingChanged(provider=provider, listed=listed, since=today.isoformat()))
