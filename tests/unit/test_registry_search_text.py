"""Folding, words, places and prices of search, without a database."""

from __future__ import annotations

import pytest

from registry.search import places
from registry.search.correcting import Known, correct, forms, near, sound, spans
from registry.search.documents import Source, band_of, document_of
from registry.search.domain import Circumstances, PartKind, Texts, read_query, relaxed, score, telling, total, weight
from registry.search.lexemes import filter_query, quoted, tags, word_query
from registry.search.text import fold, pairs, pieces, squeeze, synonyms, terms, tokens
from registry.search.wording import in_words


@pytest.mark.parametrize(
    ("typed", "folded"),
    [("ＪＳＭ－７９００Ｆ", "jsm-7900f"), ("掃描電子顯微鏡", "扫描电子显微镜"), ("ⅩRD", "xrd"), ("㎏", "kg"), ("SEM", "sem"), ("", "")],
)
def test_width_case_and_traditional_characters_fold(typed: str, folded: str) -> None:
    assert fold(typed) == folded


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("塑料薄膜成分分析", ["塑料薄膜", "成分分析"]),
        ("高分子材料", ["高分子材料"]),
        ("x射线衍射仪测试", ["x射线衍射仪", "测试"]),
        ("jsm-7900f 扫描电镜", ["jsm-7900f", "扫描电镜"]),
        ("lc-ms/ms", ["lc-ms/ms"]),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert sorted(token.text for token in tokens(text)) == sorted(words)


@pytest.mark.parametrize(
    ("word", "made_of"),
    [
        ("塑料薄膜", ("塑料", "薄膜")),
        ("盐雾试验", ("盐雾", "试验")),
        ("扫描电子显微镜", ("扫描", "电子显微镜")),
        ("高分子", ()),
        ("重金属", ()),
        ("jsm-7900f", ("jsm", "7900f")),
        ("sem", ()),
    ],
)
def test_pieces(word: str, made_of: tuple[str, ...]) -> None:
    assert pieces(word) == made_of


def test_a_model_is_found_in_each_way_it_is_written() -> None:
    for written in ("JSM-7900F", "JSM 7900F", "jsm7900f", "ＪＳＭ－７９００Ｆ"):
        assert {"jsm", "7900f"} <= terms(fold(written), thorough=True)
    assert squeeze(fold("JSM-7900F")) == "jsm7900f"


def test_an_unknown_word_is_found_by_its_pairs() -> None:
    assert set(pairs("蚈蛬蜧")) == {"蚈蛬", "蛬蜧"} <= terms("蚈蛬蜧检测", thorough=False)


def test_synonyms_go_both_ways() -> None:
    assert "sem" in synonyms()["扫描电镜"] and "扫描电镜" in synonyms()["sem"]


def test_what_says_nothing_is_not_looked_for() -> None:
    words = [word.text for word in read_query("我公司需要对锂电池做可靠性测试,请问哪里可以做")]
    assert words == ["锂电池", "可靠性测试"]
    assert [word.text for word in read_query("我们的")] != [], "with nothing else, even those words are looked for"


def test_relaxing_adds_the_parts_of_words_and_they_count_less() -> None:
    words = relaxed(read_query("塑料薄膜"))
    assert [(word.text, word.share == 1.0) for word in words] == [("塑料薄膜", True), ("塑料", False), ("薄膜", False)]


def test_rare_words_tell_more_and_find_alone() -> None:
    assert weight(1, 100_000) > weight(50_000, 100_000) > 0
    words = read_query("石墨烯 检测")
    documents = {"": 100_000, "石墨烯": 300, "检测": 40_000}
    assert [word.text for word in telling(words, documents, 100_000)] == ["石墨烯"]


def _texts(name: str, keywords: str = "", description: str = "", provider: str = "") -> Texts:
    source = Source(1, "x", provider, "SERVICE", (), "310000", 0, name, (keywords,), description)
    return Texts(*document_of(source).texts)


def _points(query: str, texts: Texts, around: Circumstances | None = None) -> int:
    words = read_query(query)
    return total(score(words, [1.0] * len(words), squeeze(fold(query)), texts, around or Circumstances()))


def test_stronger_fields_count_more() -> None:
    query = "热封强度"
    ranked = [
        _texts("热封强度"),
        _texts("薄膜", "热封强度"),
        _texts("薄膜", "", "测热封强度"),
        _texts("薄膜", "", "", "热封强度中心"),
        _texts("薄膜"),
    ]
    points = [_points(query, texts) for texts in ranked]
    assert points == sorted(points, reverse=True) and len(set(points)) == len(points) and points[-1] == 0


def test_latin_words_are_found_whole_only() -> None:
    assert _points("SEM", _texts("assembly 装配")) == 0
    assert _points("SEM", _texts("sem 测试")) > 0
    assert _points("JSM-7900", _texts("扫描电镜 JSM-7900F")) > 0


def test_rating_recognition_and_distance_add_points_and_words() -> None:
    texts, query = _texts("热封强度"), "热封强度"
    plain = _points(query, texts)
    assert _points(query, texts, Circumstances(rating=500)) > _points(query, texts, Circumstances(rating=300)) > plain
    assert _points(query, texts, Circumstances(recognized=True)) > plain == _points(query, texts, Circumstances(recognized=False))
    assert _points(query, texts, Circumstances(km=0)) > _points(query, texts, Circumstances(km=200)) > plain
    words = read_query(query)
    parts = score(words, [1.0], query, texts, Circumstances(480, True, 63))
    assert [part.kind for part in parts] == [PartKind.WORD, PartKind.NAME, PartKind.RATING, PartKind.RECOGNIZED, PartKind.DISTANCE]
    assert in_words(parts[2]) == (f"机构评级 4.80,计 {parts[2].points} 分", f"provider rated 4.80: {parts[2].points} points")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("扫苗电镜", "扫描电镜"),
        ("石墨稀", "石墨烯"),
        ("农药残流", "农药残留"),
        ("nicolte", "nicolet"),
        ("色普仪", "色谱仪"),
        ("nicole", "nicolet"),
    ],
)
def test_one_slip_is_near(typed: str, meant: str) -> None:
    assert near(typed, meant)
    assert forms(typed) & forms(meant) or sound(typed) == sound(meant)


@pytest.mark.parametrize(("typed", "other"), [("薄膜", "薄荷"), ("电镜", "电机"), ("sem", "扫描"), ("石墨烯", "石墨烯"), ("液相", "气相")])
def test_other_words_are_not(typed: str, other: str) -> None:
    assert not near(typed, other)


def test_known_words_are_never_corrected() -> None:
    candidates = {"扫苗电镜": [Known("扫描电镜", 9, True)], "分析": [Known("分西", 2, True)]}
    assert correct("扫苗电镜分析", candidates, {"分析": 50, "电镜": 9}) == "扫描电镜分析"
    assert correct("扫苗电镜", candidates, {"扫苗电镜": 1}) == ""
    assert "扫苗电镜" in spans("扫苗电镜") and "电镜" in spans("扫苗电镜")


@pytest.mark.parametrize(("fen", "band"), [(None, 0), (0, 1), (9_999, 1), (10_000, 2), (999_999, 3), (1_000_000, 4), (10_000_000, 5)])
def test_price_bands(fen: int | None, band: int) -> None:
    assert band_of(fen) == band


def test_places_and_distances() -> None:
    assert places.prefecture_of("330522") == "330500" and places.prefecture_of("310118") == "310000" == places.prefecture_of("310000")
    assert places.distance_km("330522", "330500") == 0
    assert places.distance_km("310000", "320500") == places.distance_km("320500", "310118")
    assert 80 <= (places.distance_km("310000", "320500") or 0) <= 90
    assert places.distance_km("110000", "310000") is None
    assert "330500" in set(places.within("330522", 1)) and "340100" not in set(places.within("330522", 100))


def test_tags_and_filters() -> None:
    assert tags("330522", ["IP"], "SERVICE", 480) == ["@33", "@3305", "@330522", "!330522", "#IP", "%SERVICE", "*high"]
    assert tags("310000", [], "PROVIDER", 0) == ["@31", "!310000", "%PROVIDER"]
    assert filter_query("330500", "IP", "", None) == "('@3305') & ('#IP')"
    assert filter_query("", "", "", []) != "", "nowhere near enough finds nothing, not everything"
    assert filter_query("", "", "", ["310000", "330000"]) == "(('@31') | ('!330000'))"


@pytest.mark.parametrize("word", ["o'brien", "a\\b", "'", "塑料'膜"])
def test_quoting_leaves_no_way_out(word: str) -> None:
    assert quoted(word).startswith("'") and quoted(word).count("'") % 2 == 0
    for found in read_query(word):
        assert word_query(found).count("'") % 2 == 0
