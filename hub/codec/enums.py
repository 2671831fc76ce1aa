"""Protobuf enum values to domain members and back, by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from hub.domain import model, policy
from hub.domain.refusals import RefusalCode
from yrd.clearing.v1 import clearing_pb2
from yrd.common.v1 import refusal_pb2, types_pb2
from yrd.policy.v1 import policy_pb2

E = TypeVar("E", bound=StrEnum)


class _Values(Protocol):
    def items(self) -> Sequence[tuple[str, int]]: ...


def _both(wrapper: _Values, prefix: str, members: type[E]) -> tuple[Mapping[int, E], Mapping[E, Any]]:
    by_number = {number: members(name.removeprefix(prefix)) for name, number in wrapper.items() if number}
    return by_number, {member: number for number, member in by_number.items()}


CATEGORY_IN, CATEGORY_OUT = _both(types_pb2.Category, "CATEGORY_", policy.Category)
FLAG_IN, FLAG_OUT = _both(types_pb2.LineFlag, "LINE_FLAG_", model.LineFlag)
KIND_IN, KIND_OUT = _both(types_pb2.EnterpriseKind, "ENTERPRISE_KIND_", policy.EnterpriseKind)
EVIDENCE_IN, EVIDENCE_OUT = _both(types_pb2.EvidenceKind, "EVIDENCE_KIND_", policy.EvidenceKind)
MODE_IN, MODE_OUT = _both(policy_pb2.Mode, "MODE_", policy.Mode)
EXPIRY_IN, EXPIRY_OUT = _both(policy_pb2.ExpiryBasis, "EXPIRY_BASIS_", policy.ExpiryBasis)
QUOTA_IN, QUOTA_OUT = _both(policy_pb2.QuotaBasis, "QUOTA_BASIS_", policy.QuotaBasis)
RESIDUAL_IN, RESIDUAL_OUT = _both(policy_pb2.Residual, "RESIDUAL_", policy.Residual)
REFUND_IN, REFUND_OUT = _both(policy_pb2.RefundTarget, "REFUND_TARGET_", policy.RefundTarget)
SETTLEMENT_IN, SETTLEMENT_OUT = _both(policy_pb2.SettlementModel, "SETTLEMENT_MODEL_", policy.SettlementModel)
RECOGNITION_IN, RECOGNITION_OUT = _both(policy_pb2.RecognitionDefault, "RECOGNITION_DEFAULT_", policy.RecognitionDefault)
STATE_IN, STATE_OUT = _both(clearing_pb2.RedemptionState, "REDEMPTION_STATE_", model.State)
PAYEE_IN, PAYEE_OUT = _both(clearing_pb2.PayeeKind, "PAYEE_KIND_", model.PayeeKind)
REFUSAL_IN, REFUSAL_OUT = _both(refusal_pb2.RefusalCode, "REFUSAL_CODE_", RefusalCode)
