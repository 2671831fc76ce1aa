"""Names a new adapter begins with, until its author puts the province's own in their place: columns in Chinese, JSON fields in English."""

from __future__ import annotations

from dataclasses import dataclass

Names = dict[str, dict[str, str]]

PERSONAL = "personal data the hub does not need"


@dataclass(frozen=True, slots=True)
class Fields:
    """Native names by kind and slot, what is dropped and why, and the words of yes, no and withdrawal."""

    fields: Names
    dropped: Names
    mark: str
    valid: str
    withdrawn: str
    yes: str
    no: str


COLUMNS = Fields(
    fields={
        "ENTERPRISE": {
            "id": "企业编号",
            "uscc": "统一社会信用代码",
            "name": "企业名称",
            "division": "行政区划",
            "kind": "企业类型",
            "sme_no": "入库登记编号",
            "sme_from": "入库有效期起",
            "sme_until": "入库有效期止",
            "staff": "职工人数",
        },
        "PROVIDER": {
            "id": "机构编号",
            "uscc": "统一社会信用代码",
            "name": "机构名称",
            "categories": "服务类别",
            "admitted_on": "入库日期",
            "rating": "评分",
        },
        "RECOGNITION": {
            "id": "互认编号",
            "issuer": "发券地区划",
            "provider": "机构代码",
            "valid_from": "生效日期",
            "valid_until": "失效日期",
            "agreement": "是否签订协议",
        },
        "VOUCHER": {"id": "发放编号", "issuer": "发券地区划", "enterprise": "统一社会信用代码", "face": "金额", "voucher_no": "券号"},
        "AUTHORIZATION": {
            "id": "申请编号",
            "issuer": "发券地区划",
            "enterprise": "企业代码",
            "provider": "机构代码",
            "order_no": "订单号",
            "lines.category": "服务类别{n}",
            "lines.amount": "金额{n}",
            "lines.flags": "不予支持{n}",
        },
        "CAPTURE": {
            "id": "兑付编号",
            "authorization": "申请编号",
            "enterprise": "企业代码",
            "invoice_no": "发票号码",
            "delivered_on": "交付日期",
            "lines.category": "服务类别{n}",
            "lines.amount": "金额{n}",
            "lines.flags": "不予支持{n}",
            "evidence.kind": "材料类型{n}",
            "evidence.sha256": "材料摘要{n}",
        },
    },
    dropped={
        "ENTERPRISE": {"联系人": PERSONAL, "联系电话": PERSONAL},
        "PROVIDER": {"联系人": PERSONAL, "通讯地址": "not used in clearing"},
        "CAPTURE": {"经办人": PERSONAL},
    },
    mark="状态",
    valid="有效",
    withdrawn="作废",
    yes="是",
    no="否",
)

NESTED = Fields(
    fields={
        "ENTERPRISE": {
            "id": "firmId",
            "uscc": "creditCode",
            "name": "firmName",
            "division": "division",
            "kind": "firmType",
            "sme_no": "smeNumber",
            "sme_from": "smeFrom",
            "sme_until": "smeUntil",
            "staff": "staff",
        },
        "PROVIDER": {
            "id": "providerId",
            "uscc": "creditCode",
            "name": "providerName",
            "categories": "services[]",
            "admitted_on": "admittedOn",
            "rating": "rating",
        },
        "RECOGNITION": {
            "id": "recognitionId",
            "issuer": "issuer",
            "provider": "providerCode",
            "valid_from": "validFrom",
            "valid_until": "validUntil",
            "agreement": "agreementSigned",
        },
        "VOUCHER": {"id": "issueId", "issuer": "issuer", "enterprise": "creditCode", "face": "amount", "voucher_no": "voucherNo"},
        "AUTHORIZATION": {
            "id": "orderId",
            "issuer": "issuer",
            "enterprise": "firmCode",
            "provider": "providerCode",
            "order_no": "orderNo",
            "lines.category": "items[].service",
            "lines.amount": "items[].amount",
            "lines.flags": "items[].excluded[]",
        },
        "CAPTURE": {
            "id": "claimId",
            "authorization": "orderId",
            "enterprise": "firmCode",
            "invoice_no": "invoiceNo",
            "delivered_on": "deliveredOn",
            "lines.category": "items[].service",
            "lines.amount": "items[].amount",
            "lines.flags": "items[].excluded[]",
            "evidence.kind": "papers[].type",
            "evidence.sha256": "papers[].sha256",
        },
    },
    dropped={
        "ENTERPRISE": {"contactPerson": PERSONAL, "contactPhone": PERSONAL},
        "PROVIDER": {"contactPerson": PERSONAL, "address": "not used in clearing"},
        "CAPTURE": {"handledBy": PERSONAL},
    },
    mark="status",
    valid="valid",
    withdrawn="withdrawn",
    yes="true",
    no="false",
)

WORDS = {
    "ENTERPRISE": "enterprises",
    "PROVIDER": "providers",
    "RECOGNITION": "recognitions",
    "VOUCHER": "vouchers",
    "AUTHORIZATION": "orders",
    "CAPTURE": "claims",
}

CODES: Names = {
    "category": {
        "科研试剂": "REAGENT",
        "实验动物": "LAB_ANIMAL",
        "科学数据": "DATA",
        "科技文献": "LITERATURE",
        "科技报告": "ST_REPORT",
        "种质资源": "GERMPLASM",
        "研究开发": "RESEARCH",
        "技术转移": "TECH_TRANSFER",
        "检验检测": "INSPECTION_TESTING",
        "创业孵化": "INCUBATION",
        "知识产权": "IP",
        "科技咨询": "CONSULTING",
        "科技金融": "ST_FINANCE",
        "大型仪器": "INSTRUMENT",
    },
    "enterprise_kind": {"科技型中小企业": "TECH_SME", "初创科技企业": "START_UP_TECH", "创新团队": "TEAM", "规上企业": "ABOVE_SCALE"},
    "flag": {"专利申请": "PATENT_APPLICATION", "法定检测": "STATUTORY_TEST", "财政资助": "FISCALLY_FUNDED", "非创新活动": "NON_INNOVATION"},
    "evidence": {"合同": "CONTRACT", "发票": "INVOICE", "付款凭证": "PAYMENT_PROOF", "成果报告": "RESULT_REPORT"},
    "redemption_state": {
        "已授权": "AUTHORIZED",
        "待审核": "PENDING_REVIEW",
        "暂缓": "HELD",
        "已核定": "CLEARED",
        "已拨付": "SETTLED",
        "已撤销": "VOIDED",
        "已过期": "EXPIRED",
        "已驳回": "REJECTED",
        "已退回": "REFUNDED",
    },
    "payee": {"机构": "PROVIDER", "企业": "ENTERPRISE"},
    "obligation_state": {"应付": "DUE", "已付": "PAID"},
    "outcome": {"成功": "OK", "拒绝": "REFUSED", "待复": "UNANSWERED"},
}

ROWS = {
    "redemptions": (
        "redemptions",
        "RedemptionRow",
        """兑付流水号 redemption_id
        订单号 order_no
        发券地区划 issuer
        服务地区划 acquirer
        企业代码 enterprise
        机构代码 provider
        状态 state redemption_state
        政策版本 policy_version
        授权金额 authorized_fen money
        核定金额 subsidy_fen money
        退回金额 refunded_fen money
        收款方 payee payee
        发票号码 invoice_no
        交付日期 delivered_on day
        拨付日期 settled_on day
        清算批次 window_id
        核定依据 basis""",
    ),
    "vouchers": (
        "notes",
        "VoucherRow",
        """发券地区划 issuer
        券号 voucher_no
        企业代码 enterprise
        面额 face_fen money
        收回金额 returned_fen money
        发放日期 issued_on day
        失效日期 expires_on day""",
    ),
    "obligations": (
        "obligations",
        "ObligationRow",
        """清算批次 window_id
        付款地区划 debtor
        收款方代码 creditor
        金额 amount_fen money
        状态 state obligation_state""",
    ),
    "positions": ("positions", "PositionRow", "清算批次 window_id\n地区划 division\n净额 amount_fen money"),
    "outcomes": (
        "outcomes",
        "OutcomeRow",
        """类型 kind
        编号 native_id
        文件 file
        行号 line
        结果 outcome outcome
        说明 message""",
    ),
}
"""Result tables: word of the file, row, columns."""
