"""Saved encoders open in older versions of sentence-transformers, with the same scores."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sentence_transformers
import torch
from sentence_transformers.base.modules import Dense, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling
from transformers import AutoTokenizer

from kosim.encoders.base import PairEncoder
from kosim.encoders.bundle import BUNDLED
from kosim.encoders.classic_layout import write_classic_layout
from kosim.encoders.cross import CrossEncoder
from kosim.encoders.loading import KINDS, load
from kosim.encoders.scratch import build_scratch_backbone
from kosim.encoders.tokenizers.training import train_tokenizer
from tests.encoders.tiny import SENTENCES

PAIRS = [(first, second) for first in SENTENCES for second in SENTENCES]

SCORE = """
import json, sys
from sentence_transformers import CrossEncoder, SentenceTransformer, util
kind, folder, pairs = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
if kind == "cross":
    scores = CrossEncoder(folder, device="cpu").predict(pairs)
else:
    model = SentenceTransformer(folder, device="cpu")
    first, second = (model.encode(list(texts)) for texts in zip(*pairs))
    scores = util.pairwise_cos_sim(first, second)
print(json.dumps([float(score) for score in scores]))
"""


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_settings_are_in_the_older_form(encoder: PairEncoder, tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    encoder.save(folder)
    tokenizer = read(folder / "tokenizer_config.json")
    assert tokenizer["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert tokenizer["model_input_names"] == encoder.tokenizer.model_input_names
    assert tokenizer["model_max_length"] == encoder.max_length
    if encoder.kind == "cross":
        activation = read(folder / "config.json")["sentence_transformers"]["activation_fn"]
        assert activation == "torch.nn.modules.activation.Sigmoid"
        return
    types = [module["type"] for module in read(folder / "modules.json")]
    names = ("Transformer", "Pooling", "Normalize")
    assert types == [f"sentence_transformers.models.{name}" for name in names]
    assert read(folder / "sentence_bert_config.json")["max_seq_length"] == encoder.max_length
    pooling = read(folder / "1_Pooling" / "config.json")
    assert pooling["word_embedding_dimension"] == encoder.dimension  # type: ignore[attr-defined]
    assert [name for name, value in pooling.items() if value is True] == [
        "pooling_mode_mean_tokens",
        "include_prompt",
    ]


def test_nothing_that_counts_is_lost(encoder: PairEncoder, tmp_path: Path) -> None:
    encoder.save(tmp_path / "saved")
    again = load(tmp_path / "saved")
    assert again.fingerprint() == encoder.fingerprint()
    assert again.max_length == encoder.max_length
    # Weights that were read lie elsewhere in memory, by which some kernels round differently.
    np.testing.assert_allclose(again.score(PAIRS), encoder.score(PAIRS), rtol=1e-6)


def test_an_activation_that_is_none_is_kept(koelectra: Path, tmp_path: Path) -> None:
    encoder = CrossEncoder.from_backbone(str(koelectra), device="cpu")
    encoder.model.activation_fn = torch.nn.Identity()
    encoder.save(tmp_path / "saved")
    kept = read(tmp_path / "saved" / "config.json")["sentence_transformers"]["activation_fn"]
    assert kept == "torch.nn.modules.linear.Identity"


def test_several_poolings_and_a_dense_layer_are_kept(koelectra: Path, tmp_path: Path) -> None:
    transformer = Transformer(str(koelectra))
    pooling = Pooling(transformer.get_embedding_dimension(), pooling_mode=("cls", "max"))
    modules = [transformer, pooling, Dense(pooling.get_embedding_dimension(), 5)]
    model = sentence_transformers.SentenceTransformer(modules=modules, device="cpu")
    folder = tmp_path / "model"
    model.save(str(folder))
    before = model.encode(SENTENCES)
    write_classic_layout(folder, max_length=32)
    kept = read(folder / "1_Pooling" / "config.json")
    assert kept["pooling_mode_cls_token"] and kept["pooling_mode_max_tokens"]
    assert not kept["pooling_mode_mean_tokens"]
    again = sentence_transformers.SentenceTransformer(str(folder), device="cpu")
    assert again.max_seq_length == 32
    np.testing.assert_array_equal(again.encode(SENTENCES), before)


def test_tokenizers_and_backbones_have_the_older_class(tmp_path: Path) -> None:
    texts = [*SENTENCES, *(sentence[::-1] for sentence in SENTENCES)]
    train_tokenizer(texts, kind="syllable", vocabulary=40).save(tmp_path / "tokenizer")
    build_scratch_backbone(texts, tmp_path / "backbone")
    for name in ("tokenizer", "backbone"):
        settings = read(tmp_path / name / "tokenizer_config.json")
        assert settings["tokenizer_class"] == "PreTrainedTokenizerFast"
        assert AutoTokenizer.from_pretrained(tmp_path / name).is_fast


@pytest.mark.parametrize("kind", ["bi", "cross"])
def test_an_edited_model_card_damages_nothing(kind: str, tmp_path: Path) -> None:
    folder = tmp_path / kind
    shutil.copytree(BUNDLED / f"mini-{kind}", folder)
    (folder / "README.md").write_text("Edited on the hub.\n", encoding="utf-8")
    assert load(folder).kind == kind


def test_a_card_that_version_0_1_listed_may_change(encoder: PairEncoder, tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    encoder.save(folder)
    manifest = read(folder / "kosim.json")
    manifest["files"]["README.md"] = "0" * 64
    del manifest["checksum"]
    (folder / "kosim.json").write_text(json.dumps(manifest), encoding="utf-8")
    load(folder)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["bi", "cross"])
@pytest.mark.parametrize("which", ["bundled", "new"])
def test_sentence_transformers_5_scores_alike(
    kind: str, which: str, koelectra: Path, older: Path, tmp_path: Path
) -> None:
    folder = BUNDLED / f"mini-{kind}"
    pairs = [("거실 불 꺼 줘", "거실 조명을 꺼 줄래?"), ("방이 넓어요 " * 60, "방이 좁아요")]
    if which == "new":
        folder, pairs = tmp_path / "saved", PAIRS
        KINDS[kind].from_backbone(str(koelectra), device="cpu").save(folder)
    command = [str(older), "-c", SCORE, kind, str(folder), json.dumps(pairs)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert ended.returncode == 0, ended.stderr
    scores = json.loads(ended.stdout.splitlines()[-1])
    np.testing.assert_allclose(scores, load(folder).score(pairs, raw=True), atol=1e-6)
