"""Reviews: one for each order, once something of it is settled; annulled for a stated reason, never deleted."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from hub.application.transaction import Transaction
from hub.codec.fields import Fields
from hub.domain.caller import Role
from hub.domain.refusals import Refusal, RefusalCode, invalid_state, not_permitted
from registry.codec import REASON_CHARS_MAX
from registry.quality.codec import review_message
from registry.quality.tables import ReviewRow
from yrd.registry.v1 import quality_pb2 as pb

# A redemption refunded after it was settled was paid too.
_REDEMPTION = """
SELECT r.provider, r.order_no, r.enterprise, e.division, r.settled_on IS NOT NULL, r.issuer, r.acquirer
FROM redemption AS r JOIN enterprise AS e ON e.uscc = r.enterprise WHERE r.redemption_id = CAST(:id AS uuid)"""


async def submit_review(tx: Transaction, request: pb.SubmitReviewRequest) -> pb.SubmitReviewResponse | Refusal:
    """File an enterprise's review of an order on its behalf.

    REDEMPTION_NOT_FOUND; NOT_PERMITTED for anyone but the platform of the enterprise's division; INVALID_STATE before the redemption is
    settled; ALREADY_EXISTS where the order has its review.
    """
    fields = Fields()
    redemption_id = fields.uuid("redemption_id", request.redemption_id)
    stars = fields.between("stars", request.stars, 1, 5)
    comment = fields.text("comment", request.comment, REASON_CHARS_MAX, required=False)
    if fields.refusal is not None:
        return fields.refusal
    found = (await tx.session.execute(text(_REDEMPTION), {"id": redemption_id})).first()
    if found is None:
        return Refusal(RefusalCode.REDEMPTION_NOT_FOUND)
    provider, order_no, enterprise, division, settled, issuer, acquirer = found
    if not tx.caller.acts_for(division):
        # Whoever is on no side of it is not told that there is such a redemption.
        if not (tx.caller.sees(issuer) or tx.caller.sees(acquirer)):
            return Refusal(RefusalCode.REDEMPTION_NOT_FOUND)
        return not_permitted("仅企业所在地平台可以代企业提交评价", "only the platform of the enterprise's division files its reviews")
    if not settled:
        return invalid_state("该兑付尚未结清,结清后方可评价", "the redemption is not settled yet; it can be reviewed afterwards")
    values = {
        "provider": provider,
        "order_no": order_no,
        "enterprise": enterprise,
        "stars": stars,
        "disputed": request.disputed,
        "comment": comment,
        "filed_by": tx.caller.division,
        "filed_at": tx.now,
        "annulled_by": "",
        "annulled_reason": "",
    }
    made = insert(ReviewRow).values(values).on_conflict_do_nothing().returning(col(ReviewRow.order_no))
    if (await tx.session.execute(made)).first() is None:
        return Refusal(RefusalCode.ALREADY_EXISTS, detail_zh="该订单已有评价", detail_en="the order has its review already")
    return pb.SubmitReviewResponse(review=review_message(ReviewRow(**values)))


async def annul_review(tx: Transaction, request: pb.AnnulReviewRequest) -> pb.AnnulReviewResponse | Refusal:
    """Take a review out of the rating. ORDER_NOT_FOUND where the order has none; INVALID_STATE once annulled."""
    if tx.caller.role is not Role.COORDINATOR:
        return not_permitted("仅协调组可以撤销评价", "only the coordination group annuls reviews")
    fields = Fields()
    provider = fields.uscc("provider", request.provider)
    order_no = fields.number("order_no", request.order_no)
    reason = fields.text("reason", request.reason, REASON_CHARS_MAX)
    if fields.refusal is not None:
        return fields.refusal
    known = select(ReviewRow).where(ReviewRow.provider == provider, ReviewRow.order_no == order_no).with_for_update()
    row = (await tx.session.exec(known)).first()
    if row is None:
        return Refusal(RefusalCode.ORDER_NOT_FOUND, detail_zh="该订单没有评价", detail_en="the order has no review")
    if row.annulled_at is not None:
        return invalid_state("该评价已撤销", "the review is annulled already")
    row.annulled_by, row.annulled_at, row.annulled_reason = tx.caller.division, tx.now, reason
    tx.session.add(row)
    await tx.session.flush()
    return pb.AnnulReviewResponse(review=review_message(row))
