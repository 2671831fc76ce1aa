"""Refusals of identity: values, never exceptions. The codes are those of `yrd.common.v1.RefusalCode`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class CertificateReason(StrEnum):
    """Why a certificate was rejected; travels as metadata `reason` beside CERTIFICATE_REJECTED."""

    ABSENT = "ABSENT"
    MALFORMED = "MALFORMED"
    UNSUPPORTED_KEY = "UNSUPPORTED_KEY"
    NO_SPIFFE_ID = "NO_SPIFFE_ID"
    DIVISION_OUTSIDE_PROVINCE = "DIVISION_OUTSIDE_PROVINCE"
    NOT_YET_VALID = "NOT_YET_VALID"
    EXPIRED = "EXPIRED"
    WRONG_TRUST_DOMAIN = "WRONG_TRUST_DOMAIN"
    FOREIGN_CA = "FOREIGN_CA"
    NOT_THE_TOKENS = "NOT_THE_TOKENS"


@dataclass(frozen=True, slots=True)
class AuthFailure:
    """A caller refused. `code` is stable; the texts are for people; `metadata` goes into `google.rpc.ErrorInfo`."""

    code: str
    detail_en: str
    detail_zh: str
    metadata: Mapping[str, str] = field(default_factory=dict)


_CERTIFICATE_TEXTS: dict[CertificateReason, tuple[str, str]] = {
    CertificateReason.ABSENT: ("no client certificate was presented", "未提供客户端证书"),
    CertificateReason.MALFORMED: ("the client certificate cannot be read", "客户端证书无法解析"),
    CertificateReason.UNSUPPORTED_KEY: ("the client certificate's key is not ECDSA P-256", "客户端证书的密钥不是 ECDSA P-256"),
    CertificateReason.NO_SPIFFE_ID: (
        "the client certificate carries no single identity of the form spiffe://<province>/<division>/<system>",
        "客户端证书没有唯一的 spiffe://<省级代码>/<区划代码>/<系统> 身份",
    ),
    CertificateReason.DIVISION_OUTSIDE_PROVINCE: (
        "the identity's division does not lie in the province of its trust domain",
        "证书身份中的区划不属于其信任域所在省份",
    ),
    CertificateReason.NOT_YET_VALID: ("the client certificate is not valid yet", "客户端证书尚未生效"),
    CertificateReason.EXPIRED: ("the client certificate, or the CA above it, has expired", "客户端证书或其上级 CA 证书已过期"),
    CertificateReason.WRONG_TRUST_DOMAIN: (
        "the client certificate was signed by the CA of another province than its identity names",
        "客户端证书由其身份以外省份的 CA 签发",
    ),
    CertificateReason.FOREIGN_CA: ("the client certificate was signed by no CA that the hub trusts", "客户端证书不是由枢纽信任的 CA 签发"),
    CertificateReason.NOT_THE_TOKENS: (
        "the access token is bound to another client certificate",
        "访问令牌绑定的是另一张客户端证书",
    ),
}


def certificate_rejected(reason: CertificateReason, **metadata: str) -> AuthFailure:
    """Return CERTIFICATE_REJECTED with its reason."""
    en, zh = _CERTIFICATE_TEXTS[reason]
    return AuthFailure("CERTIFICATE_REJECTED", en, zh, {"reason": reason.value, **metadata})


def unauthenticated(detail_en: str, detail_zh: str) -> AuthFailure:
    """Return UNAUTHENTICATED: no token, or one that does not verify."""
    return AuthFailure("UNAUTHENTICATED", detail_en, detail_zh)


def token_expired() -> AuthFailure:
    """Return TOKEN_EXPIRED."""
    return AuthFailure("TOKEN_EXPIRED", "the access token has expired", "访问令牌已过期")


def scope_missing(scope: str) -> AuthFailure:
    """Return SCOPE_MISSING for the scope that the method asks for."""
    return AuthFailure("SCOPE_MISSING", f"the access token lacks the scope {scope}", f"访问令牌缺少权限范围 {scope}", {"scope": scope})


def not_permitted(detail_en: str, detail_zh: str, **metadata: str) -> AuthFailure:
    """Return NOT_PERMITTED (rules.md C10)."""
    return AuthFailure("NOT_PERMITTED", detail_en, detail_zh, metadata)
