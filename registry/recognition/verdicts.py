"""Verdicts as participants read them, with what is missing in words."""

from __future__ import annotations

from datetime import date

from hub.domain.model import ClassRule
from hub.domain.model import Recognition as Named
from hub.domain.recognition import Condition, Ground, GroundKind, Lack
from registry.domain import Period
from registry.recognition.codec import class_message, recognition_message
from registry.recognition.domain import Recognition, Verdict
from registry.recognition.pool import Book
from yrd.registry.v1 import recognition_pb2 as pb

_KINDS = {kind: pb.RecognitionGroundKind.Value(f"RECOGNITION_GROUND_KIND_{kind.value}") for kind in GroundKind}
_CONDITIONS = {condition: pb.RecognitionCondition.Value(f"RECOGNITION_CONDITION_{condition.value}") for condition in Condition}

_TEXTS: dict[Condition, tuple[str, str]] = {
    Condition.LISTED_ONLY: (
        "发券地政策仅认可名录内机构,请向发券地申请认可",
        "The issuer's policy recognises only whom it names: ask the issuer for recognition",
    ),
    Condition.POLICY_RATING: (
        "评级未达到发券地政策要求的 {wanted},现为 {found}",
        "The issuer's policy asks for a rating of {wanted}; it is {found}",
    ),
    Condition.PERIOD: ("{found} 不在认可期间 {wanted} 内", "{found} lies outside the recognition's period {wanted}"),
    Condition.HOME: ("所在地 {found} 不属于 {wanted}", "The home {found} is not in {wanted}"),
    Condition.CATEGORY: ("服务类别不含 {wanted}", "The category {wanted} is not among those it lists"),
    Condition.RATING: ("评级未达到该类别要求的 {wanted},现为 {found}", "The class asks for a rating of {wanted}; it is {found}"),
    Condition.QUALITY_LIST: ("未列入优质服务机构库", "It is not on the quality-provider list"),
    Condition.AGREEMENT: ("缺少有效的三方协议", "No tripartite agreement is in force"),
    Condition.POLICY: ("发券地当日没有生效的政策", "The issuer has no policy in force on the day"),
    Condition.ADMISSION: ("当日不在资源池内,在库期间为 {found}", "It was not in the pool on the day, but in {found}"),
    Condition.STANDING: ("自 {found} 起不处于良好状态", "It is out of good standing since {found}"),
}


def missing_message(lack: Lack) -> pb.MissingCondition:
    """A condition that fails, in words."""
    zh, en = (words.format(wanted=lack.wanted, found=lack.found) for words in _TEXTS[lack.condition])
    return pb.MissingCondition(condition=_CONDITIONS[lack.condition], wanted=lack.wanted, found=lack.found, zh=zh, en=en)


def ground_message(issuer: str, provider: str, ground: Ground, book: Book) -> pb.RecognitionGround:
    """A ground with the recognition or class it rests on."""
    message = pb.RecognitionGround(kind=_KINDS[ground.kind], holds=ground.holds, missing=[missing_message(lack) for lack in ground.lacks])
    source = ground.source
    if isinstance(source, Named):
        period = Period(source.valid_from, source.valid_until)
        named = Recognition(issuer, provider, period, source.agreement, source.require_agreement)
        message.recognition.CopyFrom(recognition_message(named))
    elif isinstance(source, ClassRule):
        message.class_recognition.CopyFrom(class_message(book.classes[source.class_id]))
    return message


def verdict_message(issuer: str, provider: str, day: date, verdict: Verdict, book: Book) -> pb.RecognitionVerdict:
    """A verdict with every ground."""
    return pb.RecognitionVerdict(
        issuer=issuer,
        provider=provider,
        day=day.isoformat(),
        recognized=verdict.recognized,
        payable=verdict.payable,
        policy_version=verdict.policy.version if verdict.policy else "",
        grounds=[ground_message(issuer, provider, ground, book) for ground in verdict.grounds],
        missing=[missing_message(lack) for lack in verdict.missing],
    )
