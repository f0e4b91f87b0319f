import re
import shutil
import unicodedata
from itertools import pairwise

import numpy as np
import pytest

from kosim.index.lexical.bm25 import Bm25, PostingsPart
from kosim.index.lexical.lexical_index import LexicalIndex
from kosim.index.lexical.morphemes import MorphemeAnalyzer, normal_form
from kosim.index.lexical.postings import Postings, read_manifest
from kosim.index.lexical.word_parts import PART_WEIGHT, WordPartAnalyzer
from tests.index.lexical_stand_ins import Parts

OTHERS = ["창문을 닫아 주세요", "기차가 늦게 도착했다", "점심으로 국수를 먹었다"]
DOCUMENTS = [
    "자녀가 미성년자에요",
    "한국전력공사에서 3,000원을 돌려받았어요!",
    "국민연금공단 서울남부지역본부로 가 주세요.",
    "ＡＢＣ마트는 12,500원짜리 운동화를 팔아요",
    "c++17과 C#으로 짠 프로그램(ver2.0)",
    "ㅋㅋㅋㅋ 진짜 웃기네ㅠㅠ 물고기 잡으러 감",
    "“예술의전당”까지 1시간 30분, 너무 멀다…",
    "iPhone15를 샀는데 Wi-Fi가 안 잡혀요",
    "漢字로 쓴 大韓民國 헌법 제1조",
    "그 집 밥은 맛없고 비싸고 그냥 별로였음",
]


@pytest.fixture(scope="module")
def analyzer():
    pytest.importorskip("kiwipiepy")
    return WordPartAnalyzer(MorphemeAnalyzer(num_workers=1))


def found(analyzer, folder, documents, queries, k=50):
    _, rows = LexicalIndex(folder, analyzer=analyzer).search(
        Parts(folder, {"1-a": documents}), queries, k
    )
    return [[row for row in line if row >= 0] for line in rows.tolist()]


def verbatim(document):
    """Yield all sequences of words, and all beginnings of words but one Latin letter."""
    words = document.split()
    for start in range(len(words)):
        yield from (" ".join(words[start:end]) for end in range(start + 1, len(words) + 1))
        for end in range(1, len(words[start])):
            yield words[start][:end]


def is_searchable(query):
    text = re.sub(r"[\W_]", "", query)
    return bool(text) and not re.fullmatch("[a-z]", normal_form(text))


def test_what_stands_in_a_document_finds_it(analyzer, tmp_path):
    asked = [
        (query, row)
        for row, document in enumerate(DOCUMENTS)
        for query in verbatim(document)
        if is_searchable(query)
    ]
    assert len(asked) > 200
    hits = found(analyzer, tmp_path, DOCUMENTS, [query for query, _ in asked])
    assert [one for one, rows in zip(asked, hits, strict=True) if one[1] not in rows] == []


@pytest.mark.parametrize(
    ("query", "document"),
    [
        ("미성년자", "자녀가 미성년자에요"),
        ("한국전력", "한국전력공사에 전화했다"),
        ("전력공사", "한국전력공사에 전화했다"),
        ("국민 연금", "국민연금공단이 어디 있나요"),
        ("ABC", "ＡＢＣ마트에 갔다"),
        ("3000", "3,000원입니다"),
        ("1,234,567", "합계 1234567"),
        ("１２,０００원", "12000원이 부족하다"),
        ("물", "물고기가 많다"),
        (unicodedata.normalize("NFD", "전력"), "한국전력공사에 전화했다"),
    ],
)
def test_words_and_numbers_are_found_before_all_else(analyzer, query, document, tmp_path):
    assert found(analyzer, tmp_path, [*OTHERS, document], [query])[0][:1] == [3]


def test_names_of_languages_are_terms_of_their_own(analyzer, tmp_path):
    documents = ["C 언어", "C++ 언어", "C#으로 짰다", "씨 뿌리기"]
    assert found(analyzer, tmp_path, documents, ["c", "c++", "C#"]) == [[0], [1], [2]]


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("１,０００,０００원", "1000000원"),
        ("3,000.50", "3000.50"),
        ("1,2,3", "1,2,3"),
        ("12,34", "12,34"),
        ("2024,300", "2024,300"),
        ("3,000,12", "3,000,12"),
        ("㈜한국 ㎏", "(주)한국 kg"),
        ("ㅋㅋㅏ", "ㅋㅋㅏ"),
        ("1+1 a+b #태그 c++", "1+1 a+b #태그 cǂ"),
    ],
)
def test_words_are_compared_in_their_normal_form(text, normal):
    assert normal_form(text) == normal


def test_a_part_counts_for_less_than_a_morpheme(analyzer):
    """A stand-in for a morpheme and a part that stand in the same document alone."""
    documents = [["가", "\x1f나"], ["다", "라"]]
    part = PostingsPart(Postings.build([documents]), 0, np.ones(2, dtype=np.bool_))
    scores = [Bm25([part]).search([term], 1)[0][0] for term in documents[0]]
    assert scores[1] == pytest.approx(PART_WEIGHT * scores[0])


def test_a_query_has_no_beginnings_and_a_document_has(analyzer):
    (document,), (query,) = analyzer.terms(["전력 비"]), analyzer.query_terms(["전력 비"])
    marked = [[term[1:] for term in terms if term[0] == "\x1f"] for terms in (document, query)]
    assert marked == [["전", "전력", "비"], ["전력", "비"]]


def test_pairs_stay_within_words(analyzer):
    (terms,) = analyzer.query_terms(["가나 다라-마바"])
    pairs = {term[1:] for term in terms if term.startswith("\x1f")}
    assert pairs == {"".join(pair) for word in ("가나", "다라", "마바") for pair in pairwise(word)}


def test_stored_postings_of_an_earlier_version_keep_their_terms(tmp_path, caplog):
    pytest.importorskip("kiwipiepy")
    parts = Parts(tmp_path, {"1-a": ["한국전력공사", "책"]}, delta=["밥"])
    earlier = MorphemeAnalyzer(earlier=True)
    LexicalIndex(tmp_path, analyzer=earlier).prepare(parts)
    before = read_manifest(tmp_path / "lexical" / "1-a")
    again = LexicalIndex(tmp_path)
    assert f"delete {tmp_path / 'lexical'}" in caplog.text
    assert again.search(parts, ["한국전력", "밥"], 1).rows.tolist() == [[-1], [2]]
    assert read_manifest(tmp_path / "lexical" / "1-a") == before
    shutil.rmtree(tmp_path / "lexical")
    assert LexicalIndex(tmp_path).search(parts, ["한국전력", "밥"], 1).rows.tolist() == [[0], [2]]
