"""Trained tokenizers: whole on disk, the same at every run, and clear about what cannot be."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from kosim.encoders.errors import ConfigError, DataError, MissingExtraError, StorageError
from kosim.encoders.tokenizers.text_step import step_of
from kosim.encoders.tokenizers.training import (
    KINDS,
    TrainedTokenizer,
    rare_characters,
    train_tokenizer,
    without,
)

TEXTS = [
    "거실 불을 꺼 주세요",
    "주방 조명을 켜 주세요",
    "내일 날씨가 어떤지 알려 줘",
    "호스트가 정말 친절했어요",
    "날씨가 더웠다",
    "방이 깨끗하고 조용했다",
    "어제 본 영화가 재미있었다",
    "비가 오니 창문을 닫아 줘",
]
PLAIN = [kind for kind in KINDS if kind != "morpheme"]
VOCABULARY = {"wordpiece": 120, "unigram": 64, "syllable": 55, "jamo": 45, "morpheme": 90}
READS = {
    "syllable": ["▁날", "씨", "가", "▁더", "웠", "다"],
    "jamo": ["▁ᄂ", "ᅡ", "ᆯ", "ᄊ", "ᅵ", "ᄀ", "ᅡ", "▁ᄃ", "ᅥ", "ᄋ", "ᅯ", "ᆻ", "ᄃ", "ᅡ"],
}


@pytest.fixture(scope="module")
def trained() -> dict[str, TrainedTokenizer]:
    """A tokenizer of each kind that needs no extra."""
    return {
        kind: train_tokenizer(TEXTS, kind, VOCABULARY[kind], coverage=1.0)  # type: ignore[arg-type]
        for kind in PLAIN
    }


@pytest.fixture(scope="module")
def morpheme() -> TrainedTokenizer:
    """A tokenizer of morphemes."""
    pytest.importorskip("kiwipiepy")
    return train_tokenizer(TEXTS, "morpheme", VOCABULARY["morpheme"], coverage=1.0)


@pytest.mark.parametrize("kind", PLAIN)
def test_the_vocabulary_has_the_asked_size_and_begins_with_the_special_tokens(
    kind: str, trained: dict[str, TrainedTokenizer]
) -> None:
    tokenizer = trained[kind].tokenizer
    assert len(tokenizer) == VOCABULARY[kind]
    assert tokenizer.convert_ids_to_tokens(range(5)) == [
        "[PAD]",
        "[UNK]",
        "[CLS]",
        "[SEP]",
        "[MASK]",
    ]


@pytest.mark.parametrize("kind", PLAIN)
def test_any_program_opens_it_from_disk(
    kind: str, trained: dict[str, TrainedTokenizer], tmp_path: Path
) -> None:
    trained[kind].save(tmp_path / kind)
    ours = trained[kind].tokenizer(TEXTS)["input_ids"]
    assert AutoTokenizer.from_pretrained(tmp_path / kind)(TEXTS)["input_ids"] == ours
    plain = Tokenizer.from_file(str(tmp_path / kind / "tokenizer.json"))
    assert [plain.encode(text).ids for text in TEXTS] == ours


@pytest.mark.parametrize("kind", PLAIN)
def test_a_pair_is_read_in_the_format_of_bert(
    kind: str, trained: dict[str, TrainedTokenizer]
) -> None:
    tokenizer = trained[kind].tokenizer
    pair = tokenizer(TEXTS[0], TEXTS[1])
    first, second = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in TEXTS[:2])
    assert pair["input_ids"] == [2, *first, 3, *second, 3]
    assert pair["token_type_ids"] == [0] * (len(first) + 2) + [1] * (len(second) + 1)


@pytest.mark.parametrize("kind", PLAIN)
def test_a_masked_word_is_one_token(kind: str, trained: dict[str, TrainedTokenizer]) -> None:
    assert trained[kind].tokenizer("거실 [MASK] 꺼")["input_ids"].count(4) == 1


@pytest.mark.parametrize("kind", READS)
def test_characters_are_tokens_and_words_have_a_mark(
    kind: str, trained: dict[str, TrainedTokenizer]
) -> None:
    assert trained[kind].tokenizer.tokenize(" 날씨가\u3000 더웠다 ") == READS[kind]


def test_syllables_are_chosen_by_frequency() -> None:
    tokenizer = train_tokenizer(["가 가 가 나나 나나 다"], "syllable", 8, coverage=1.0).tokenizer
    # ▁가 three times, ▁나 and 나 twice, ▁다 once; ties by the number of the character.
    assert tokenizer.convert_ids_to_tokens(range(5, 8)) == ["▁가", "▁나", "나"]


@pytest.mark.parametrize("kind", PLAIN)
def test_the_order_of_the_texts_does_not_matter(
    kind: str, trained: dict[str, TrainedTokenizer]
) -> None:
    again = train_tokenizer(TEXTS[::-1] * 2, kind, VOCABULARY[kind], coverage=1.0)
    assert _model(again) == _model(trained[kind])


@pytest.mark.slow
def test_the_process_does_not_matter(trained: dict[str, TrainedTokenizer]) -> None:
    """In another one strings have other hashes, so sets and dictionaries another order."""
    script = (
        "import sys, json; from kosim.encoders.tokenizers.training import train_tokenizer;"
        "texts, sizes = json.loads(sys.argv[1]);"
        "make = lambda k, n: train_tokenizer(texts, k, n, coverage=1.0).tokenizer;"
        "made = {k: make(k, n).backend_tokenizer.to_str() for k, n in sizes.items()};"
        "sys.stdout.write(json.dumps(made))"
    )
    sizes = {kind: VOCABULARY[kind] for kind in PLAIN}
    again = subprocess.run(
        [sys.executable, "-c", script, json.dumps([TEXTS[::-1] * 2, sizes])],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "7"},
    )
    for kind, made in json.loads(again.stdout).items():
        assert json.loads(made)["model"] == _model(trained[kind])


def _model(made: TrainedTokenizer) -> object:
    return json.loads(made.tokenizer.backend_tokenizer.to_str())["model"]


def test_rare_characters_are_the_rest_of_the_coverage() -> None:
    texts = ["가" * 90 + "나" * 9, "다"]
    assert rare_characters(texts, 0.99) == {"다"}
    assert rare_characters(texts, 0.90) == {"나", "다"}
    assert rare_characters(texts, 1.0) == set()
    assert without(["가다나", "가"], {"다"}) == {"가 나", "가"}


@pytest.mark.parametrize("kind", PLAIN)
def test_an_empty_corpus_is_refused(kind: str) -> None:
    with pytest.raises(DataError, match="holds no text"):
        train_tokenizer(["", "  \t"], kind, 100)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", PLAIN)
def test_a_vocabulary_that_cannot_be_reached_names_what_can(kind: str) -> None:
    with pytest.raises(DataError, match=r"cannot be reached; ask for at most (\d+)") as caught:
        train_tokenizer(TEXTS, kind, 5_000, coverage=1.0)  # type: ignore[arg-type]
    possible = int(str(caught.value).split("at most ")[1].split(",")[0])
    assert len(train_tokenizer(TEXTS, kind, possible, coverage=1.0).tokenizer) == possible  # type: ignore[arg-type]


def test_more_characters_than_the_vocabulary_name_what_would_do() -> None:
    with pytest.raises(DataError, match=r"characters of the corpus.*at least (\d+)") as caught:
        train_tokenizer(TEXTS, "wordpiece", 20, coverage=1.0)
    needed = int(str(caught.value).split("at least ")[1].split(",")[0])
    assert len(train_tokenizer(TEXTS, "wordpiece", needed, coverage=1.0).tokenizer) == needed


def test_a_unigram_vocabulary_too_small_for_the_characters_is_refused() -> None:
    with pytest.raises(DataError, match="no vocabulary of 20 pieces"):
        train_tokenizer(TEXTS, "unigram", 20, coverage=1.0)


@pytest.mark.parametrize(
    ("kind", "size", "coverage", "said"),
    [
        ("bpe", 100, 1.0, "'bpe' is unknown"),
        ("jamo", 5, 1.0, "vocabulary of 5"),
        ("jamo", 70_000, 1.0, "vocabulary of 70000"),
        ("jamo", 50, 0.0, "coverage is 0"),
    ],
)
def test_impossible_settings_are_refused(kind: str, size: int, coverage: float, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        train_tokenizer(TEXTS, kind, size, coverage=coverage)  # type: ignore[arg-type]


def test_a_folder_that_is_there_is_kept(
    trained: dict[str, TrainedTokenizer], tmp_path: Path
) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(StorageError, match="exists already"):
        trained["jamo"].save(tmp_path / "there")
    assert list((tmp_path / "there").iterdir()) == []


def test_morphemes_are_in_their_own_form_before_the_tokenizer(morpheme: TrainedTokenizer) -> None:
    assert morpheme.tokenizer.tokenize("날씨가 더웠다") == ["날씨", "가", "덥", "었", "다"]


@pytest.mark.parametrize(
    "call",
    [
        lambda t: [t("날씨가 더웠다")["input_ids"], t("방이 조용했다")["input_ids"]],
        lambda t: t(["날씨가 더웠다", "방이 조용했다"])["input_ids"],
        lambda t: list(np.array(t(["날씨가 더웠다", "방이 조용했다"], padding=True)["input_ids"])),
    ],
    ids=["one", "list", "padded"],
)
def test_the_text_step_reaches_every_call(call: object, morpheme: TrainedTokenizer) -> None:
    first, second = call(morpheme.tokenizer)  # type: ignore[operator]
    read = morpheme.tokenizer.convert_ids_to_tokens
    assert read(first)[1:6] == ["날씨", "가", "덥", "었", "다"]
    assert read(second)[1:3] == ["방", "이"]


def test_the_text_step_reaches_both_sentences_of_a_pair(morpheme: TrainedTokenizer) -> None:
    tokenizer = morpheme.tokenizer
    together = tokenizer("날씨가 더웠다", "방이 조용했다")["input_ids"]
    as_list = tokenizer(["날씨가 더웠다"], ["방이 조용했다"])["input_ids"][0]
    as_tuples = tokenizer([("날씨가 더웠다", "방이 조용했다")])["input_ids"][0]
    assert together == as_list == as_tuples
    assert tokenizer.convert_ids_to_tokens(together)[6:9] == ["[SEP]", "방", "이"]


def test_plain_loading_expects_segmented_text(morpheme: TrainedTokenizer, tmp_path: Path) -> None:
    morpheme.save(tmp_path / "morpheme")
    plain = AutoTokenizer.from_pretrained(tmp_path / "morpheme")
    ours = morpheme.tokenizer("날씨가 더웠다")["input_ids"]
    assert plain("날씨 가 덥 었 다")["input_ids"] == ours
    assert plain("날씨가 더웠다")["input_ids"] != ours
    about = json.loads((tmp_path / "morpheme" / "kosim.json").read_text())
    assert about["text_step"] == "morphemes"
    assert metadata.version("kiwipiepy") in about["made"][0]["text_step_version"]


def test_without_kiwi_the_command_to_install_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr("kosim.encoders.tokenizers.kiwi.version", missing)
    with pytest.raises(MissingExtraError, match=r'pip install "kosim\[lexical\]"'):
        train_tokenizer(TEXTS, "morpheme", 100)


def test_who_calls_the_backend_directly_can_apply_the_step(
    morpheme: TrainedTokenizer, trained: dict[str, TrainedTokenizer]
) -> None:
    texts = ["날씨가 더웠다", "방이 조용했다"]
    step = step_of(morpheme.tokenizer)
    assert step is not None
    first, second = step.apply(texts)
    backend = morpheme.tokenizer.backend_tokenizer
    assert first == "날씨 가 덥 었 다"
    assert backend.encode(second).ids == morpheme.tokenizer(texts[1])["input_ids"]
    assert step_of(trained["jamo"].tokenizer) is None
