"""The headings of a file of entries, in both languages, and the words that stand for kinds, categories and prices."""

from __future__ import annotations

from typing import NamedTuple

from hub.domain.policy import Category
from registry.catalogue.domain import Kind, PriceModel

KIND_ZH = {"服务项目": Kind.SERVICE, "大型仪器": Kind.INSTRUMENT, "专家": Kind.EXPERT, "科技文献": Kind.LITERATURE, "科学数据": Kind.DATA}
MODEL_ZH = {"固定价": PriceModel.FIXED, "按单位": PriceModel.PER_UNIT, "区间价": PriceModel.RANGE, "面议": PriceModel.QUOTATION}
CATEGORY_ZH = {
    "试剂": Category.REAGENT,
    "实验动物": Category.LAB_ANIMAL,
    "科学数据": Category.DATA,
    "科技文献": Category.LITERATURE,
    "科技报告": Category.ST_REPORT,
    "种质资源": Category.GERMPLASM,
    "研究开发": Category.RESEARCH,
    "技术转移": Category.TECH_TRANSFER,
    "检验检测认证": Category.INSPECTION_TESTING,
    "创业孵化": Category.INCUBATION,
    "知识产权": Category.IP,
    "科技咨询": Category.CONSULTING,
    "科技金融": Category.ST_FINANCE,
    "大型科研仪器使用": Category.INSTRUMENT,
}


class Column(NamedTuple):
    """A column: its name, its Chinese heading, the field it fills, and what belongs there, in both languages."""

    name: str
    zh: str
    path: str
    hint_zh: str
    hint_en: str


_TEXT = ("不超过规定长度的文字", "text within the length allowed")
_YUAN = ("以元为单位的金额,最多两位小数,如 1200.50", "an amount in yuan with at most two decimals, such as 1200.50")
_WHOLE = ("整数", "a whole number")
_CODE = ("18 位统一社会信用代码", "a unified social credit code of 18 characters")

COLUMNS = (
    Column("provider", "统一社会信用代码", "provider", *_CODE),
    Column("kind", "类型", "kind", "/".join(KIND_ZH), "one of " + ", ".join(Kind)),
    Column(
        "code",
        "编号",
        "code",
        "本机构内唯一的编号,不含空格,最多 64 字",
        "the provider's own code, unique, without spaces, at most 64 characters",
    ),
    Column("name", "名称", "name", "1 至 200 字的名称", "a name of 1 to 200 characters"),
    Column("category", "类别", "category", "/".join(CATEGORY_ZH), "one of " + ", ".join(Category)),
    Column("description", "描述", "description", *_TEXT),
    Column(
        "keywords",
        "关键词",
        "keywords",
        "以分号分隔,最多 30 个,每个最多 50 字",
        "separated by semicolons, at most 30 of at most 50 characters",
    ),
    Column("price_model", "计价方式", "price.model", "/".join(MODEL_ZH), "one of " + ", ".join(PriceModel)),
    Column(
        "unit",
        "计价单位",
        "price.unit",
        "按单位计价时的单位,如 样、次、小时",
        "the unit where the price is per unit, at most 20 characters",
    ),
    Column("price_from_yuan", "价格下限(元)", "price.from_fen", *_YUAN),
    Column("price_to_yuan", "价格上限(元)", "price.to_fen", *_YUAN),
    Column("delivery_days", "交付天数", "delivery_days", "1 至 3650 的整数", "a whole number from 1 to 3650"),
    Column("model", "型号", "instrument.model", "大型仪器必填的型号", "the model; every instrument has one"),
    Column("maker", "生产厂商", "instrument.maker", *_TEXT),
    Column("serial_no", "出厂编号", "instrument.serial_no", *_TEXT),
    Column("original_value_yuan", "原值(元)", "instrument.original_value_fen", *_YUAN),
    Column("institution", "所属单位", "instrument.institution", *_TEXT),
    Column("owner", "所属单位信用代码", "instrument.owner", *_CODE),
    Column("place", "安放地址", "instrument.place", *_TEXT),
    Column("hours_per_year", "年开放机时", "instrument.hours_per_year", "0 至 8784 的整数", "a whole number from 0 to 8784"),
    Column("open_since", "开放日期", "instrument.open_since", "日期,如 2026-03-01", "a date such as 2026-03-01"),
    Column("title", "职称", "expert.title", *_TEXT),
    Column("source", "来源", "resource.source", *_TEXT),
    Column("link", "链接", "resource.link", "以 https:// 或 http:// 开头的网址", "an address that begins with https:// or http://"),
)
BY_NAME = {column.name: column for column in COLUMNS}
BY_HEADING = {**BY_NAME, **{column.zh: column for column in COLUMNS}}
REQUIRED = ("provider", "kind", "code", "name")
