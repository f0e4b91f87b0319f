"""Models of others score as sentence-transformers does, and say that they are not calibrated."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sentence_transformers
import torch
from click.testing import CliRunner
from sentence_transformers import SentenceTransformer, util
from sentence_transformers.base.modules import Dense, Normalize, Transformer
from sentence_transformers.sentence_transformer.modules import Pooling, StaticEmbedding
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from kosim.encoders.adoption import adopt
from kosim.encoders.bi import BiEncoder
from kosim.encoders.bundle import BUNDLED
from kosim.encoders.cross import CrossEncoder
from kosim.encoders.errors import ArtifactError, ConfigError
from kosim.encoders.loading import load
from kosim.encoders.metrics import pearson
from kosim.experiments.cli import main
from tests.encoders.shapes import SHAPES
from tests.encoders.tiny import HUB_ID, SENTENCES, VALIDATION, write_hub_cache

PAIRS = [(first, second) for first in SENTENCES for second in SENTENCES]


def write_bi(backbone: Path, folder: Path, mode: str, extra: list[Any], **options: Any) -> Path:
    """Write a sentence-transformers model that cuts at 12 tokens."""
    transformer = Transformer(str(backbone))
    pooling = Pooling(transformer.get_embedding_dimension(), pooling_mode=mode)
    model = SentenceTransformer(modules=[transformer, pooling, *extra], device="cpu", **options)
    model.max_seq_length = 12
    model.save(str(folder))
    return folder


def write_cross(backbone: Path, folder: Path, activation: Any, labels: int = 1) -> Path:
    """Write a cross-encoder of sentence-transformers that cuts at 20 tokens."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = sentence_transformers.CrossEncoder(
            str(backbone), num_labels=labels, device="cpu", activation_fn=activation
        )
    model.max_seq_length = 20
    model.save(str(folder))
    return folder


PROMPTED = {"prompts": {"query": "query: ", "none": ""}, "default_prompt_name": "query"}


@pytest.mark.parametrize("mode", ["mean", "cls", "max", "lasttoken"])
@pytest.mark.parametrize(
    ("extra", "options"),
    [([], {}), ([Normalize()], PROMPTED), ([Dense(32, 6)], PROMPTED)],
    ids=["bare", "normalised", "dense"],
)
def test_vectors_are_those_of_sentence_transformers(
    koelectra: Path, tmp_path: Path, mode: str, extra: list[Any], options: dict[str, Any]
) -> None:
    folder = write_bi(koelectra, tmp_path / "model", mode, extra, **options)
    theirs, ours = SentenceTransformer(str(folder), device="cpu"), load(folder, device="cpu")
    assert isinstance(ours, BiEncoder)
    assert (ours.max_length, ours.prompt) == (12, "query: " if options else "")
    expected = theirs.encode(SENTENCES, normalize_embeddings=True)
    np.testing.assert_allclose(ours.encode(SENTENCES), expected, atol=1e-6)
    first, second = (theirs.encode(list(side)) for side in zip(*PAIRS, strict=True))
    cosines = util.pairwise_cos_sim(first, second).numpy()
    np.testing.assert_allclose(ours.score(PAIRS, raw=True), cosines, atol=1e-6)
    assert np.abs(ours.score(PAIRS, raw=True)).max() <= 1


@pytest.mark.parametrize("activation", [torch.nn.Sigmoid(), torch.nn.Identity()], ids=repr)
def test_scores_are_those_of_a_cross_encoder(
    koelectra: Path, tmp_path: Path, activation: torch.nn.Module
) -> None:
    folder = write_cross(koelectra, tmp_path / "model", activation)
    theirs = sentence_transformers.CrossEncoder(str(folder), device="cpu").predict(PAIRS)
    ours = load(folder, device="cpu")
    assert isinstance(ours, CrossEncoder)
    assert (ours.max_length, ours.truncated) == (20, 0)
    np.testing.assert_allclose(ours.score(PAIRS, raw=True), theirs, atol=1e-6)


@pytest.mark.parametrize("shape", ["GPT-2", "XLM-R"])
def test_a_foreign_shape_scores_as_it_does_there(shape: str, tmp_path: Path) -> None:
    SHAPES[shape](tmp_path / "backbone")
    encoder = BiEncoder.from_backbone(str(tmp_path / "backbone"), device="cpu", max_length=24)
    encoder.model.save(str(tmp_path / "model"))
    ours = load(tmp_path / "model", device="cpu")
    theirs = SentenceTransformer(str(tmp_path / "model"), device="cpu").encode(SENTENCES)
    np.testing.assert_allclose(ours.encode(SENTENCES), theirs, atol=1e-6)


def test_what_has_no_calibration_says_so(
    koelectra: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write_cross(koelectra, tmp_path / "model", torch.nn.Sigmoid())
    with caplog.at_level(logging.WARNING, logger="kosim"):
        assert not load(folder).calibrated
    (said,) = [one.getMessage() for one in caplog.records if one.name.startswith("kosim")]
    assert "kosim adopt" in said
    assert load(BUNDLED / "mini-cross").calibrated
    shown = CliRunner().invoke(main, ["score", str(folder), *PAIRS[1]])
    assert "of 5 (not calibrated):" in shown.stdout
    as_json = CliRunner().invoke(main, ["score", str(folder), *PAIRS[1], "--json"])
    assert json.loads(as_json.stdout)["calibrated"] is False


def test_a_model_is_adopted(koelectra: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    folder = write_bi(koelectra, tmp_path / "model", "mean", [Dense(32, 6)])
    before = load(folder, device="cpu")
    adopt(folder, VALIDATION, prompt="query: ", device="cpu").save(tmp_path / "adopted")
    after = load(tmp_path / "adopted", device="cpu")
    assert isinstance(after, BiEncoder) and after.calibrated and after.prompt == "query: "
    theirs = SentenceTransformer(str(folder), device="cpu")
    expected = theirs.encode(SENTENCES, prompt="query: ", normalize_embeddings=True)
    np.testing.assert_allclose(after.encode(SENTENCES), expected, atol=1e-6)

    def error(encoder: Any) -> float:
        return float(np.abs(encoder.score(VALIDATION.pairs) - VALIDATION.labels).mean())

    assert error(after) < error(before)
    raw, scores = after.score(VALIDATION.pairs, raw=True), after.score(VALIDATION.pairs)
    assert pearson(raw, scores) > 0


def test_adopting_by_the_command_line(koelectra: Path, tmp_path: Path) -> None:
    folder = write_cross(koelectra, tmp_path / "model", torch.nn.Identity())
    rows = [
        "sentence1,sentence2,label",
        *(
            f"{first},{second},{label:.3f}"
            for (first, second), label in zip(VALIDATION.pairs, VALIDATION.labels, strict=True)
        ),
    ]
    (tmp_path / "pairs.csv").write_text("\n".join(rows), encoding="utf-8")
    out = str(tmp_path / "adopted")
    arguments = ["--validation", str(tmp_path / "pairs.csv"), "--label-scale", "0:5", "--out", out]
    done = CliRunner().invoke(main, ["adopt", str(folder), *arguments, "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["calibrated"] is True
    assert "no calibration" not in done.output
    assert load(out).calibrated


def test_validation_pairs_on_one_side_are_named_before_a_model_is_opened(tmp_path: Path) -> None:
    file = tmp_path / "pairs.csv"
    file.write_text("sentence1,sentence2,label\n가,나,4\n다,라,5\n", encoding="utf-8")
    options = ["--validation", str(file), "--label-scale", "0:5", "--out", str(tmp_path / "out")]
    refused = CliRunner().invoke(main, ["adopt", str(tmp_path / "nothing"), *options])
    assert refused.exit_code == 2
    assert f"all validation labels of {file} are at least 3" in refused.stderr


def test_a_plain_model_is_adopted_with_a_pooling(koelectra: Path) -> None:
    assert adopt(koelectra, VALIDATION, pooling="cls", device="cpu").calibrated


def test_a_cross_encoder_has_no_prompt(koelectra: Path, tmp_path: Path) -> None:
    folder = write_cross(koelectra, tmp_path / "model", torch.nn.Sigmoid())
    with pytest.raises(ConfigError, match="has no prompt"):
        adopt(folder, prompt="query: ")


def test_a_hub_id_is_opened(
    koelectra: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_cross(koelectra, tmp_path / "model", torch.nn.Sigmoid())
    cache = write_hub_cache(tmp_path / "hub", folder)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    ours = load(HUB_ID, device="cpu")
    np.testing.assert_array_equal(ours.score(PAIRS), load(folder, device="cpu").score(PAIRS))
    with pytest.raises(ArtifactError, match="model hub"):
        load("owner/unknown")


def test_what_is_no_encoder_is_refused_with_what_it_is_good_for(
    koelectra: Path, tmp_path: Path
) -> None:
    with pytest.raises(ArtifactError, match=r"backbone.*--backbone"):
        load(koelectra)
    folder = write_cross(koelectra, tmp_path / "three", None, labels=3)
    with pytest.raises(ArtifactError, match=r"classifier of 3 labels.*kosim train cross"):
        load(folder)
    for kind in ("SparseEncoder", "MultiVectorEncoder"):
        folder = write_bi(koelectra, tmp_path / kind, "mean", [])
        config = folder / "config_sentence_transformers.json"
        written = json.loads(config.read_text(encoding="utf-8"))
        config.write_text(json.dumps({**written, "model_type": kind}), encoding="utf-8")
        with pytest.raises(ArtifactError, match=f"is a {kind}, neither"):
            load(folder)
    static = StaticEmbedding(Tokenizer(WordLevel({"[UNK]": 0}, unk_token="[UNK]")), embedding_dim=8)
    SentenceTransformer(modules=[static], device="cpu").save(str(tmp_path / "static"))
    with pytest.raises(ArtifactError, match="not a transformers model"):
        load(tmp_path / "static")


@pytest.mark.parametrize("name", ["mini-bi", "mini-cross"])
def test_a_bundled_encoder_is_a_backbone(name: str, kind: str) -> None:
    from kosim.encoders.loading import KINDS

    encoder = KINDS[kind].from_backbone(name, device="cpu")
    assert encoder.backbone.name == name
    if name.endswith(kind):
        np.testing.assert_allclose(
            encoder.score(PAIRS, raw=True), load(name).score(PAIRS, raw=True), atol=1e-6
        )
