"""The published policies as the checks need them: rows must follow from them, and they are bytes that SQL cannot read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import DecodeError
from psycopg import AsyncConnection

from hub.domain.policy import ExpiryBasis, Mode, Policy, QuotaBasis, SettlementModel
from hub.ledger.policies import decode_stored


@dataclass(slots=True)
class Terms:
    """What policies decide. `shares` say who bears what: each division with its basis points; where there are several, the issuer once
    more with those of all, for the rounding rest (docs/rules.md T1). `problems` are policies that cannot be read."""

    terms: list[dict[str, Any]] = field(default_factory=list)
    shares: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


async def read_terms(connection: AsyncConnection[Any]) -> Terms:
    """Read all published policies."""
    terms = Terms()
    for policy_id, issuer, version, body in await (
        await connection.execute("SELECT policy_id, issuer, version, body FROM policy ORDER BY policy_id")
    ).fetchall():
        try:
            policy = decode_stored(policy_id, body)
        except DecodeError:
            terms.problems.append(f"{policy_id}: {issuer} {version} cannot be read")
            continue
        if (policy.issuer, policy.version) != (issuer, version):
            terms.problems.append(f"{policy_id}: kept as {issuer} {version}, reads {policy.issuer} {policy.version}")
        _add(terms, policy)
    return terms


def _add(terms: Terms, policy: Policy) -> None:
    terms.terms.append(
        {
            "policy_id": policy.policy_id,
            "issuer": policy.issuer,
            "payee_kind": "PROVIDER" if policy.mode is Mode.PRE_SUBSIDY else "ENTERPRISE",
            "net": policy.settlement is SettlementModel.NET,
            "by_subsidy": policy.quota_basis is QuotaBasis.OFFSET,
            "claim": policy.expiry_basis is ExpiryBasis.CLAIM,
            "ttl_days": policy.authorization_ttl_days,
            "clears_up_to": policy.auto_clear_up_to_fen,
        }
    )
    shares = [{"policy_id": policy.policy_id, "division": division, "bp": bp} for division, bp in policy.funders]
    if policy.funding:
        shares.append({"policy_id": policy.policy_id, "division": policy.issuer, "all_bp": [bp for _, bp in policy.funders]})
    terms.shares.extend(shares)
