"""A pool for the search benchmark: 10,000 providers, 28,000 instruments, 100,000 items with Chinese texts, always the same from a seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date
from typing import Any

import psycopg

from hub.domain.clock import SystemClock
from registry.search.places import places
from registry.search.text import lines
from tests.support_usecases import credit_code


def _words(text: str) -> list[str]:
    return text.split()


_OBJECTS = _words(
    """
    塑料薄膜 高分子材料 锂电池 石墨烯 钛合金 铝合金 不锈钢 橡胶 涂层 环氧树脂 碳纤维 复合材料 纺织品 食品 药品 医疗器械
    化妆品 土壤 废水 饮用水 废气 汽车零部件 轴承 齿轮 芯片 电路板 传感器 变压器 光伏组件 燃料电池 混凝土 玻璃 陶瓷 木材 纸张
    农产品 饲料 中药材 疫苗 细胞 小鼠 抗体 蛋白质 基因 菌种 催化剂 润滑油 涂料 胶粘剂 玩具 家具 电缆 阀门 压力容器 机器人
    无人机 软件 工业控制系统 水稻种质
    """
)
_DOINGS = _words(
    """
    检测 检测 检测 检测 分析 测试 试验 成分分析 失效分析 可靠性试验 力学性能测试 老化试验 金相分析 无损检测 结构表征 热分析
    毒理试验 环境检测 重金属检测 农药残留检测 微生物检测 方法开发 工艺优化 仿真分析 中试放大 技术咨询 研究开发 认证 校准
    数据分析 专利检索 文献检索
    """
)
_TAILS = _words(
    """
    服务 技术服务 项目 委托检测 一站式服务 解决方案 平台服务 外包服务
    """
)
_MAKERS = _words(
    """
    日本电子 赛默飞 安捷伦 布鲁克 岛津 蔡司 徕卡 梅特勒 珀金埃尔默 英斯特朗 天美 聚光科技 上海精科 普析通用
    """
)
_INSTRUMENTS = _words(
    """
    场发射扫描电镜 透射电子显微镜 X射线衍射仪 X射线光电子能谱仪 高效液相色谱仪 气相色谱质谱联用仪 液质联用仪 核磁共振波谱仪
    傅里叶红外光谱仪 拉曼光谱仪 原子力显微镜 激光共聚焦显微镜 流式细胞仪 差示扫描量热仪 热重分析仪 电感耦合等离子体质谱仪
    万能试验机 盐雾试验箱 三坐标测量机 高通量测序仪 荧光定量PCR仪 工业CT 网络分析仪 频谱仪 电磁兼容暗室 振动台 高低温试验箱
    粒度仪 比表面积测试仪 凝胶渗透色谱仪
    """
)
_NAMES = _words(
    """
    检验检测 新材料研究 分析测试 生物技术 环境科学 智能制造 质量技术 计量科学 药物研究 先进能源 信息安全 农业科学
    """
)
_ENDS = _words(
    """
    中心 研究院 有限公司 研究所 实验室 科技有限公司
    """
)
_CATEGORIES = ("INSPECTION_TESTING", "INSPECTION_TESTING", "RESEARCH", "CONSULTING", "IP", "TECH_TRANSFER", "REAGENT", "LAB_ANIMAL")


def make_pool(url: str, providers: int, instruments: int, items: int) -> None:
    """Fill the catalogue of a migrated, empty database."""
    chance = random.Random(20_261_122)
    homes = sorted(places())
    codes = [(credit_code(i, "91310118"), chance.choice(homes)) for i in range(1, providers + 1)]
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        columns = "uscc, name, home, categories, admitted_on, rating, admitted_at, admitted_by"
        with cursor.copy(f"COPY registry.provider ({columns}) FROM STDIN") as copy:
            for row in _providers(chance, codes):
                copy.write_row(row)
        columns = (
            "provider, kind, code, name, description, category, keywords, price_model, unit, price_from, price_to, model, maker, "
            "serial_no, institution, owner, place, title, source, link, division, state, version, changed_at, changed_by, digest"
        )
        with cursor.copy(f"COPY registry.catalogue_entry ({columns}) FROM STDIN") as copy:
            for row in _entries(chance, codes, instruments, items):
                copy.write_row(row)


def _providers(chance: random.Random, codes: list[tuple[str, str]]) -> Iterator[tuple[Any, ...]]:
    for uscc, home in codes:
        first, second = chance.choice("华东南北中科新海江浙皖苏沪"), chance.choice("创联测智康瑞源达信诚")
        name = f"{first}{second}{chance.choice(_NAMES)}{chance.choice(_ENDS)}"
        rating = chance.choice((0, 300, 350, 400, 420, 450, 480, 500))
        yield uscc, name, home, ["INSPECTION_TESTING", "RESEARCH"], date(2026, 1, 1), rating, SystemClock().now(), home


def _entries(chance: random.Random, codes: list[tuple[str, str]], instruments: int, items: int) -> Iterator[tuple[Any, ...]]:
    terms = list(lines("dictionary.txt"))
    now = SystemClock().now()
    for i in range(instruments + items):
        uscc, home = chance.choice(codes)
        instrument = i < instruments
        thing = chance.choice(_INSTRUMENTS) if instrument else chance.choice(_OBJECTS)
        name = thing if instrument else f"{thing}{chance.choice(_DOINGS)}{chance.choice(_TAILS) if chance.random() < 0.5 else ''}"
        model = f"{chance.choice('ABCDEFGJKLMNPSTX')}{chance.choice('ABCDEMSTX')}{chance.choice(['', '-'])}{chance.randint(10, 9999)}"
        words = chance.sample(terms, 4)
        text = (
            f"面向{chance.choice(_OBJECTS)}与{chance.choice(_OBJECTS)}企业,提供{chance.choice(_DOINGS)}及{words[0]}、{words[1]}相关技术支持,"
            f"可依据国家标准完成{words[2]}的{chance.choice(_DOINGS)},具备{chance.choice(('CMA', 'CNAS', '相应'))}资质,"
            f"{chance.randint(3, 20)}个工作日出具报告。"
        )
        price = chance.choice((8_000, 30_000, 150_000, 800_000, 5_000_000))
        yield (
            uscc, "INSTRUMENT" if instrument else "SERVICE", f"E-{i}", name, text,
            "INSTRUMENT" if instrument else chance.choice(_CATEGORIES), [thing, words[3]], "FIXED", "", price, price,
            model if instrument else "", chance.choice(_MAKERS) if instrument else "", "", "", "", "", "", "", "",
            home, "ACTIVE", 1, now, home, b"",
        )  # fmt: skip
