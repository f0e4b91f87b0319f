"""Texts as tokens: as transformers makes them, from its tokenizer and from ``tokenizer.json``."""

from __future__ import annotations

import copy
import itertools
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from tokenizers import processors
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from kosim.encoders.bundle import MINI_BI, saved_encoder
from kosim.encoders.compute.text_reader import InputLayout, TextReader
from kosim.encoders.errors import ArtifactError

TEXTS = ["", "가", "거실 불 좀 꺼 줘", "숙소가 역에서 가까웠어요. " * 3, "query: a", "\u1100\u1161"]
PAIRS = list(itertools.product(TEXTS, repeat=2))
MOST = 16
FRAMES = {
    "bert": processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2)),
    "roberta": processors.RobertaProcessing(("[SEP]", 3), ("[CLS]", 2)),
    "template": processors.TemplateProcessing(
        single="$A [SEP]",
        pair="[CLS] $A [MASK] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3), ("[MASK]", 4)],
    ),
}


@pytest.fixture(params=sorted(FRAMES))
def tokenizer(request: pytest.FixtureRequest) -> PreTrainedTokenizerFast:
    """A tokenizer that frames texts in one of several ways."""
    opened = AutoTokenizer.from_pretrained(str(saved_encoder(MINI_BI)))
    opened.backend_tokenizer.post_processor = FRAMES[request.param]
    return opened


@pytest.mark.parametrize("side", ["left", "right"])
def test_tokens_are_those_of_transformers(tokenizer: Any, side: str, tmp_path: Path) -> None:
    tokenizer.truncation_side = side
    plain = copy.deepcopy(tokenizer)
    path = tmp_path / "tokenizer.json"
    tokenizer.backend_tokenizer.save(str(path))
    layout = InputLayout.of(tokenizer)
    texts = TEXTS[:-1]  # of which transformers composes none
    pairs = list(itertools.product(texts, repeat=2))
    for reader in (TextReader.of(tokenizer, MOST), TextReader.open(path, layout, MOST)):
        alone = reader.texts(texts)
        expected = plain(texts, truncation=True, max_length=MOST)
        assert [one.ids for one in alone.encodings] == expected["input_ids"]
        together = reader.pairs(pairs)
        firsts, seconds = (list(one) for one in zip(*pairs, strict=True))
        expected = plain(firsts, seconds, truncation="longest_first", max_length=MOST)
        assert [one.ids for one in together.encodings] == expected["input_ids"]
        assert [one.type_ids for one in together.encodings] == expected["token_type_ids"]
        uncut = plain(firsts, seconds, verbose=False)["input_ids"]
        assert together.lengths.tolist() == [len(ids) for ids in uncut]
        assert alone.lengths.tolist() == [len(ids) for ids in plain(texts)["input_ids"]]


def test_texts_are_composed_and_prompted(tokenizer: Any, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    tokenizer.backend_tokenizer.save(str(path))
    reader = TextReader.open(path, InputLayout(), MOST, prompt="query: ")
    first, second, third = reader.texts([TEXTS[-1], "가", ""]).encodings
    assert first.ids == second.ids != third.ids
    assert first.ids == tokenizer("query: 가")["input_ids"]


def test_calls_of_transformers_leave_no_setting_behind(tokenizer: Any) -> None:
    reader = TextReader.of(tokenizer, MOST)
    before = reader.pairs(PAIRS).lengths.tolist()
    tokenizer(TEXTS, truncation=True, max_length=4, padding="max_length")
    assert reader.pairs(PAIRS).lengths.tolist() == before


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text("{}")
    with pytest.raises(ArtifactError, match="cannot be read"):
        TextReader.open(path, InputLayout(), MOST)


def test_a_long_word_is_read_in_parts_and_not_given_up() -> None:
    """WordPiece makes one unknown token of more than 100 letters without a space."""
    folder = saved_encoder(MINI_BI)
    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    reader = TextReader.of(tokenizer, 512)
    syllables = "해산물을먹으러친구와부산에갔습니다" * 20
    long, decomposed = syllables[:101], unicodedata.normalize("NFD", syllables[:101])
    parts = reader.parts(
        [long, f"{long[:100]} {long[100:]}", decomposed, syllables, syllables[:100]]
    )
    ids = [part.ids for part in parts]
    assert ids[0] == ids[1] == ids[2]
    assert ids[4] == tokenizer(syllables[:100], add_special_tokens=False)["input_ids"]
    assert all(tokenizer.unk_token_id not in each for each in ids)
    link = "https://example.com/" + "a1-" * 50  # whose words are short
    assert reader.parts([link])[0].ids == tokenizer(link, add_special_tokens=False)["input_ids"]
