"""What the OpenAPI document says once for all operations: about itself, headers, problems, and what no RPC is behind."""

from __future__ import annotations

from typing import Any

from hub.domain.catalogue import TEXTS
from registry.web.operations import FORMS, PUBLIC

INFO = {
    "title": "长三角服务机构资源池 · Shared pool of service institutions",
    "version": "1",
    "description": (
        "与 gRPC 契约同一套用例:同样的规则、拒绝代码与幂等记录。 The same use cases as over gRPC: the same rules, refusal codes and "
        "idempotency records.\n\n"
        "字段名同契约;枚举写全名;64 位整数写为 JSON 整数(不超过 2^53 - 1),金额单位为分。 Field names are the contract's, enums are full "
        "names, 64-bit integers are JSON integers (at most 2^53 - 1), amounts are fen.\n\n"
        f"公开部分 `{PUBLIC}` 无须登录,只读,按地址限速,不含个人信息。机构部分 `/api/provider/v1` 须有客户端证书及与其绑定的访问令牌。 "
        f"The public part `{PUBLIC}` needs no login, is read only, limited per address and holds no personal data. The providers' part "
        "`/api/provider/v1` takes a client certificate and an access token bound to it.\n\n"
        "每次修改须带 `Idempotency-Key`;修改条目时带 `If-Match`。拒绝一律为 `application/problem+json`(RFC 9457)。 Every change carries an "
        "`Idempotency-Key`, changes of entries an `If-Match`. Every refusal is `application/problem+json` (RFC 9457)."
    ),
    "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
}

TAGS = [
    {"name": "pool", "description": "资源池 The pool"},
    {"name": "admission", "description": "入库 Admission"},
    {"name": "recognition", "description": "互认 Recognition"},
    {"name": "catalogue", "description": "目录 Catalogue"},
    {"name": "demands", "description": "供需对接 Demands"},
    {"name": "quality", "description": "评分与变动 Rating and changes"},
    {"name": "document", "description": "接口文档 This document"},
]

_TAG = {"type": "string", "pattern": '^(W/)?"[^"]+"$'}
_MATCH = {"type": "string", "pattern": '^(\\*|(W/)?"[!#-~]+")$'}

HEADERS: dict[str, Any] = {
    "ETag": {"description": "应答的版本标签 Tag of this very answer", "required": True, "schema": _TAG},
    "Link": {"description": '下一页,末页无此项 The next page, rel="next"; absent on the last (RFC 8288)', "schema": {"type": "string"}},
    "Location": {"description": "新资源的地址 Where the new resource is", "required": True, "schema": {"type": "string"}},
    "RetryAfter": {"description": "多少秒后再试 Seconds to wait", "required": True, "schema": {"type": "integer", "minimum": 1}},
}

REQUEST_HEADERS: dict[str, Any] = {
    "IdempotencyKey": {
        "name": "Idempotency-Key",
        "in": "header",
        "required": True,
        "description": "幂等键(UUID):同键同内容只生效一次,得到同一应答。 UUID: the same key and body have one effect and one answer.",
        "schema": {name: value for name, value in FORMS["uuid"].items() if name != "example"},
        "example": FORMS["uuid"]["example"],
    },
    "IfMatch": {
        "name": "If-Match",
        "in": "header",
        "description": "条目须仍为此版本,否则 412;不带则无条件修改。 "
        "The entry must still be in this state, else 412; without it the change is unconditional.",
        "schema": _MATCH,
        "example": '"3f2a9c"',
    },
    "IfNoneMatch": {
        "name": "If-None-Match",
        "in": "header",
        "description": "已有的版本;未变则 304。 The tag one has; 304 where nothing changed.",
        "schema": {"type": "string"},
        "example": '"3f2a9c"',
    },
}

_TEXT = {"type": "string"}
PROBLEM: dict[str, Any] = {
    "type": "object",
    "description": "拒绝或错误(RFC 9457) A refusal or an error",
    "properties": {
        "type": {**_TEXT, "description": "类型 `urn:yrd:refusal:CODE`, or about:blank"},
        "title": {**_TEXT, "description": "概述 In general"},
        "status": {"type": "integer", "description": "HTTP 状态 Status"},
        "detail": {**_TEXT, "description": "详情 In detail"},
        "code": {**_TEXT, "description": "稳定代码 Stable code"},
        "zh": {**_TEXT, "description": "中文说明 In Chinese"},
        "en": {**_TEXT, "description": "英文说明 In English"},
        "remedy_zh": {**_TEXT, "description": "处理办法 What to do, in Chinese"},
        "remedy_en": {**_TEXT, "description": "处理办法(英文) What to do, in English"},
        "metadata": {"type": "object", "additionalProperties": _TEXT, "description": "补充信息 Further facts"},
        "errors": {
            "type": "array",
            "description": "有误的字段 Wrong fields",
            "items": {
                "type": "object",
                "properties": {
                    "field": {**_TEXT, "description": "字段 Field"},
                    "description": {**_TEXT, "description": "应如何填写 What to send instead"},
                },
                "required": ["field", "description"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["type", "title", "status", "code"],
    "additionalProperties": False,
}

_STATUSES = {
    400: ("请求有误", "The request is wrong", "INVALID_ARGUMENT"),
    401: ("未验证身份", "No valid certificate or token", "UNAUTHENTICATED"),
    403: ("无权办理", "The caller may not do this", "NOT_PERMITTED"),
    404: ("不存在或不可见", "It does not exist, or not for this caller", "PROVIDER_NOT_FOUND"),
    409: ("与现状冲突", "It does not fit the present state", "INVALID_STATE"),
    412: ("条目已被修改", "The entry is another by now", "ENTRY_CHANGED"),
    413: ("内容过大", "The body is too large", "MESSAGE_TOO_LARGE"),
    429: ("请求过多", "Too many requests", "RATE_LIMITED"),
    500: ("内部错误,已记录", "A fault of the hub, which is logged", ""),
    503: ("暂不可用", "A part of the hub does not answer", "UNAVAILABLE"),
}


def problem_responses() -> dict[str, Any]:
    """Return the problems by status, each with an example from the catalogue of refusals."""
    return {f"Problem{status}": _problem(status, *said) for status, said in _STATUSES.items()}


def _problem(status: int, zh: str, en: str, code: str) -> dict[str, Any]:
    example: dict[str, Any] = {"type": "about:blank", "title": "Internal Server Error", "status": 500, "code": "INTERNAL_SERVER_ERROR"}
    if code:
        _, _, text_zh, text_en, remedy_zh, remedy_en = TEXTS[code]
        example = {"type": f"urn:yrd:refusal:{code}", "title": text_en, "status": status, "detail": text_en, "code": code}
        example |= {"zh": text_zh, "en": text_en, "remedy_zh": remedy_zh, "remedy_en": remedy_en}
    headers = {"Retry-After": {"$ref": "#/components/headers/RetryAfter"}} if status in (429, 503) else {}
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}}
    return {"description": f"{zh} {en}", **({"headers": headers} if headers else {}), "content": content}


def _named(name: str, about: str, key: str, item: str) -> dict[str, Any]:
    member = {key: {**_TEXT, "description": item}, "zh": {**_TEXT, "description": "中文名"}, "en": {**_TEXT, "description": "English name"}}
    items = {"type": "object", "properties": member, "required": [*member], "additionalProperties": False}
    listed = {name: {"type": "array", "items": items, "description": about}}
    return {"type": "object", "description": about, "properties": listed, "required": [name], "additionalProperties": False}


SHAPES: dict[str, Any] = {
    "Suggestions": {
        "type": "object",
        "description": "建议词 Suggestions",
        "properties": {
            "suggestions": {"type": "array", "items": _TEXT, "maxItems": 10, "description": "名称,最相关的在前 Names, best first"},
            "corrected": {**_TEXT, "description": "纠正后的检索词,未纠正则为空 The query as corrected; empty where it was not"},
        },
        "required": ["suggestions", "corrected"],
        "additionalProperties": False,
    },
    "Categories": _named("categories", "创新券支持的类别 Categories that vouchers may pay for", "category", "类别 Category"),
    "Regions": _named("regions", "参与省市 Regions that take part", "division", "区划代码 Division"),
}


def _fact(name: str, tag: str, zh: str, en: str, content: dict[str, Any]) -> dict[str, Any]:
    good = {"description": "成功 Success", "headers": {"ETag": {"$ref": "#/components/headers/ETag"}}, "content": content}
    known = {"description": "自该 ETag 以来未变 Not changed since that ETag", "headers": good["headers"]}
    problems = {str(status): {"$ref": f"#/components/responses/Problem{status}"} for status in (429, 500)}
    made = {
        "operationId": name,
        "tags": [tag],
        "summary": f"{zh} · {en}",
        "description": f"{zh}。 {en}.",
        "security": [],
        "parameters": [{"$ref": "#/components/parameters/IfNoneMatch"}],
        "responses": {"200": good, "304": known, **problems},
    }
    return {"get": made}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


FACTS: dict[str, Any] = {
    f"{PUBLIC}/categories": _fact(
        "categories", "pool", "创新券支持的类别", "Categories that vouchers may pay for", _json({"$ref": "#/components/schemas/Categories"})
    ),
    f"{PUBLIC}/regions": _fact("regions", "pool", "参与省市", "Regions that take part", _json({"$ref": "#/components/schemas/Regions"})),
    f"{PUBLIC}/openapi.json": _fact("openapi", "document", "本文档", "This document", _json({"type": "object"})),
    f"{PUBLIC}/docs": _fact("docs", "document", "本文档的网页", "This document as a page", {"text/html": {"schema": _TEXT}}),
}
