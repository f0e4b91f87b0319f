import multiprocessing
from importlib import metadata

import pytest

from kosim.encoders.errors import ConfigError, DataError, MissingExtraError
from kosim.index.lexical.lexical_index import LexicalIndex
from kosim.index.lexical.morphemes import MorphemeAnalyzer
from tests.index.lexical_stand_ins import Parts


@pytest.fixture(scope="module")
def analyzer():
    pytest.importorskip("kiwipiepy")
    return MorphemeAnalyzer(num_workers=1)


def terms(analyzer, text):
    (found,) = analyzer.terms([text])
    return found


@pytest.mark.parametrize(
    ("query", "document"),
    [
        ("호스트가 친절했다", "친절한 호스트"),
        ("방은 깨끗하고 조용했어요", "조용하며 깨끗한 방"),
        ("어제 날씨가 무척 더웠다", "무척 더운 어제의 날씨"),
        ("아이들이 노래를 듣습니다", "아이가 들은 노래"),
        ("회의를 내일로 미뤘어", "내일로 미루는 회의"),
        ("동생은 새 집을 지었다", "동생이 새로 지은 집"),
    ],
)
def test_particles_and_endings_do_not_hide_a_match(analyzer, query, document, tmp_path):
    others = ["창문을 닫아 주세요", "기차가 늦게 도착했다", document, "점심으로 국수를 먹었다"]
    parts = Parts(tmp_path, {"1-a": others})
    scores, rows = LexicalIndex(tmp_path, analyzer=analyzer).search(parts, [query], 1)
    assert rows.tolist() == [[2]]
    shared = set(terms(analyzer, query)) & set(terms(analyzer, document))
    assert len(shared) >= 2
    assert scores[0, 0] > 0


def test_only_content_morphemes_are_terms(analyzer):
    assert terms(analyzer, "호스트가 친절했다") == ["호스트", "친절"]


def test_irregular_stems_are_in_their_dictionary_form(analyzer):
    assert terms(analyzer, "날씨가 더워서 물을 길었다")[:2] == ["날씨", "덥다"]


def test_a_stem_is_not_the_noun_of_the_same_form(analyzer):
    assert "사다" in terms(analyzer, "빵을 샀다")
    assert "사" not in terms(analyzer, "빵을 샀다")


def test_latin_and_numbers_are_terms_in_lower_case(analyzer):
    assert terms(analyzer, "Wi-Fi 날씨는 2024") == [*terms(analyzer, "WI-FI의 날씨가"), "2024"]
    assert "wi" in "".join(terms(analyzer, "Wi-Fi"))


def test_decomposed_hangul_is_the_same(analyzer):
    import unicodedata

    text = "친절한 호스트"
    assert terms(analyzer, unicodedata.normalize("NFD", text)) == terms(analyzer, text)


@pytest.mark.parametrize("text", ["ㅋㅋㅋ", "이거?", "...", "^^", "😀", "\u200b", "?!", "은"])
def test_a_text_without_content_is_found_by_itself(analyzer, text, tmp_path):
    assert terms(analyzer, text)
    parts = Parts(tmp_path, {"1-a": ["좋은 아침", text]})
    _, rows = LexicalIndex(tmp_path, analyzer=analyzer).search(parts, [text], 1)
    assert rows.tolist() == [[1]]


def test_laughter_of_any_length_is_the_same(analyzer):
    assert terms(analyzer, "ㅋㅋㅋㅋㅋㅋㅋ") == terms(analyzer, "ㅋㅋㅋ")


@pytest.mark.parametrize("text", ["", "   ", "\t\n", "\u3000"])
def test_a_blank_text_has_no_terms(analyzer, text):
    assert terms(analyzer, text) == []


@pytest.mark.parametrize("text", ["가게\x00문", "\ud800가게 문", "\U0010ffff 가게 문"])
def test_strange_characters_are_survived(analyzer, text):
    assert "문" in terms(analyzer, text)


def test_a_very_long_text_is_analysed_whole(analyzer):
    found = terms(analyzer, "호스트가 친절했다. " * 3_000)
    assert found.count("친절") == 3_000


def test_texts_are_read_a_few_at_a_time(analyzer):
    read = []

    def texts():
        for number in range(5000):
            read.append(number)
            yield f"문장 {number}"

    next(analyzer.terms(texts()))
    assert len(read) < 500


def test_order_is_kept_by_several_threads(analyzer):
    texts = [f"{number}번 손님" for number in range(500)]
    found = list(analyzer.terms(texts))
    assert [row[0] for row in found] == [str(number) for number in range(500)]


def test_a_text_that_is_no_string_is_refused(analyzer):
    with pytest.raises(DataError, match="None"):
        list(analyzer.terms(["가게", None]))


def test_the_version_names_kiwi_its_model_and_our_tag_set(analyzer):
    assert metadata.version("kiwipiepy") in analyzer.version
    assert metadata.version("kiwipiepy_model") in analyzer.version
    assert "terms-" in analyzer.version


def _analyse(analyzer, results):
    results.put(list(analyzer.terms(["친절한 호스트", "더운 날씨"])))


def test_a_forked_process_analyses_too(analyzer):
    expected = list(analyzer.terms(["친절한 호스트", "더운 날씨"]))
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    process = context.Process(target=_analyse, args=(analyzer, results))
    process.start()
    process.join(timeout=120)
    assert process.exitcode == 0
    assert results.get() == expected


@pytest.mark.parametrize("count", [0, -2])
def test_less_than_one_thread_is_refused(count):
    with pytest.raises(ConfigError, match=f"num_workers is {count}"):
        MorphemeAnalyzer(num_workers=count)


def test_without_kiwi_the_command_to_install_it_is_named(monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr("kosim.encoders.tokenizers.kiwi.version", missing)
    with pytest.raises(MissingExtraError, match=r'pip install "kosim\[lexical\]"'):
        MorphemeAnalyzer()
