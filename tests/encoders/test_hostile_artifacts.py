"""Artifacts that somebody forged: refused, or scored as what they are, and never as another."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from kosim.encoders.artifact import MANIFEST, read_manifest
from kosim.encoders.base import PairEncoder
from kosim.encoders.errors import ArtifactError, BackboneError, KosimError
from kosim.encoders.loading import load
from kosim.encoders.network_files import check_sizes
from kosim.encoders.storage import content_checksum, sha256
from tests.encoders.tiny import SENTENCES, tiny_encoder

PAIRS = [(SENTENCES[0], SENTENCES[1]), (SENTENCES[1], SENTENCES[3])]
Change = Callable[[Path], object]


def forge(folder: Path, change: Change) -> None:
    """Change files of an artifact, and list them as if they had always been so."""
    change(folder)
    path = folder / MANIFEST
    try:
        content = json.loads(path.read_text(), parse_constant=_refuse)
        content_checksum(content)
    except (ValueError, RecursionError):
        return  # it is no JSON that a checksum could be of
    for name in content["files"]:
        if (folder / name).is_file():
            content["files"][name] = sha256(folder / name)
    stamp(path, content)


def stamp(path: Path, content: dict[str, Any]) -> None:
    """Write a manifest whose checksum is right: it guards against damage, not against forgery."""
    path.write_text(json.dumps({**content, "checksum": content_checksum(content)}))


def _refuse(name: str) -> None:
    raise ValueError(name)


def edit(name: str, **fields: Any) -> Change:
    """Return a change of the fields of a JSON file."""

    def change(folder: Path) -> None:
        content = json.loads((folder / name).read_text())
        content.update(fields)
        (folder / name).write_text(json.dumps(content))

    return change


def claim(text: str) -> Change:
    """Return a change of the threshold's digits in the manifest."""

    def change(folder: Path) -> None:
        content = json.loads((folder / MANIFEST).read_text())
        content["threshold"] = "HERE"
        (folder / MANIFEST).write_text(json.dumps(content).replace('"HERE"', text))

    return change


def weights(change: Callable[[dict[str, Any]], object]) -> Change:
    """Return a change of the tensors."""

    def rewrite(folder: Path) -> None:
        tensors = load_file(folder / "model.safetensors")
        change(tensors)
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})

    return rewrite


def no_number(value: float) -> Change:
    def change(tensors: dict[str, Any]) -> None:
        name = next(name for name in tensors if name.endswith("word_embeddings.weight"))
        tensors[name] = tensors[name].copy()
        tensors[name][3, 2] = value

    return weights(change)


def without_a_layer(tensors: dict[str, Any]) -> None:
    for name in [name for name in tensors if ".layer.1." in name]:
        del tensors[name]


def outside_module(folder: Path) -> None:
    shutil.copytree(folder / "1_Pooling", folder.parent / "other", dirs_exist_ok=True)
    modules = json.loads((folder / "modules.json").read_text())
    modules[1]["path"] = "../other"
    (folder / "modules.json").write_text(json.dumps(modules))


def listed(files: object) -> Change:
    return edit(MANIFEST, files=files)


def more(folder: Path) -> None:
    (folder / "adapter_config.json").write_text("{}")


BI = {
    "no list of files": listed({}),
    "list that is none": listed([]),
    "format as text": edit(MANIFEST, format="2"),
    "format of 1e9": edit(MANIFEST, format=1e9),
    "format of a billion": edit(MANIFEST, format=10**9),
    "format of 0": edit(MANIFEST, format=0),
    "format that is true": edit(MANIFEST, format=True),
    "threshold NaN": claim("NaN"),
    "threshold 1e999": claim("1e999"),
    "threshold 7": claim("7"),
    "threshold as an object": claim("{}"),
    "calibration beyond all numbers": lambda folder: (folder / MANIFEST).write_text(
        json.dumps({**json.loads((folder / MANIFEST).read_text()), "calibration": 1}).replace(
            '"calibration": 1',
            '"calibration": {"raw": [-1e999], "score": [1], "lower_slope": 1, "upper_slope": 1}',
        )
    ),
    "slope beyond all numbers": edit(
        MANIFEST, calibration={"raw": [0], "score": [1], "lower_slope": 10**400, "upper_slope": 1}
    ),
    "kind": edit(MANIFEST, kind="cross"),
    "kind and settings": edit(
        MANIFEST, kind="cross", settings={"max_length": 128, "activation": "Sigmoid"}
    ),
    "kind and layout": lambda folder: (
        edit(MANIFEST, kind="cross")(folder),
        edit("config_sentence_transformers.json", model_type="CrossEncoder")(folder),
    ),
    "pooling": edit(
        MANIFEST, settings={"max_length": 128, "prompt": "", "pooling": "cls", "modules": []}
    ),
    "length": edit("sentence_bert_config.json", max_seq_length=16),
    "text step": edit(MANIFEST, text_step="../../step"),
    "fingerprint that is a path": edit(MANIFEST, fingerprint="../../" + "a" * 58),
    "half a character": lambda folder: (folder / MANIFEST).write_text(
        (folder / MANIFEST).read_text().replace('"backbone": "', '"backbone": "\\ud800')
    ),
    "nested": lambda folder: (folder / MANIFEST).write_text("[" * 100_000),
    "weights NaN": no_number(np.nan),
    "weights infinite": no_number(np.inf),
    "weights of a layer missing": weights(without_a_layer),
    "module outside": outside_module,
    "file that is not listed": more,
    "million layers": edit("config.json", num_hidden_layers=10**6),
    "enormous width": edit("config.json", hidden_size=10**9, intermediate_size=10**9),
    "enormous vocabulary": edit("config.json", vocab_size=10**10),
    "negative width": edit("config.json", hidden_size=-32),
    "width as text": edit("config.json", hidden_size="32"),
    "layers as a fraction": edit("config.json", num_hidden_layers=1e6),
    "loop of links": lambda folder: (
        (folder / "config.json").unlink(),
        (folder / "config.json").symlink_to("config.json"),
    ),
    "pipe": lambda folder: (
        (folder / "config.json").unlink(),
        os.mkfifo(folder / "config.json"),
    ),
}


@pytest.mark.parametrize("change", BI.values(), ids=BI.keys())
def test_a_forged_artifact_is_refused_in_one_line(
    artifacts: dict[str, Path], tmp_path: Path, change: Change
) -> None:
    folder = Path(shutil.copytree(artifacts["bi"], tmp_path / "forged"))
    forge(folder, change)
    with pytest.raises((ArtifactError, KosimError)) as caught:
        load(folder, device="cpu")
    assert "\n" not in str(caught.value)
    assert str(folder) in str(caught.value) or "text step" in str(caught.value)
    assert len(str(caught.value)) < 1_000


def test_a_cross_encoder_is_not_opened_as_a_bi_encoder(
    artifacts: dict[str, Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(artifacts["cross"], tmp_path / "forged"))
    forge(folder, edit(MANIFEST, kind="bi"))
    with pytest.raises(ArtifactError, match="is said to be a bi-encoder"):
        load(folder, device="cpu")


@pytest.mark.slow
def test_a_claimed_fingerprint_is_not_believed(
    kind: str, koelectra: Path, artifacts: dict[str, Path], tmp_path: Path
) -> None:
    pytest.importorskip("onnxruntime")
    honest = load(artifacts[kind], device="cpu")
    changed = tiny_encoder(kind, koelectra)
    _double(changed)
    changed.save(tmp_path / "forged")
    own = changed.fingerprint()
    forge(tmp_path / "forged", edit(MANIFEST, fingerprint=honest.fingerprint()))
    claimed = read_manifest(tmp_path / "forged")
    assert claimed.fingerprint == honest.fingerprint()
    assert claimed.measured != read_manifest(artifacts[kind]).measured
    for backend in ("torch", "onnx", "onnx"):
        opened = load(tmp_path / "forged", device="cpu", backend=backend)  # type: ignore[arg-type]
        assert opened.fingerprint() == own != honest.fingerprint()
        scores = opened.score(PAIRS, raw=True)
        np.testing.assert_allclose(scores, changed.score(PAIRS, raw=True), atol=1e-5)


def _double(encoder: PairEncoder) -> None:
    import torch

    with torch.no_grad():
        for weight in encoder.model.parameters():
            weight.mul_(1.5)


def test_a_forgery_does_not_reach_the_cache_of_a_bundled_encoder(
    koelectra: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("kosim.encoders.bundle.BUNDLED", tmp_path)  # both keep exports in the cache
    honest = tiny_encoder("bi", koelectra)
    honest.save(tmp_path / "honest")
    expected = honest.score(PAIRS, raw=True)
    _double(honest)
    honest.save(tmp_path / "forged")
    claimed = read_manifest(tmp_path / "honest").fingerprint
    forge(tmp_path / "forged", edit(MANIFEST, fingerprint=claimed))
    other = load(tmp_path / "forged", backend="onnx").score(PAIRS, raw=True)
    found = load(tmp_path / "honest", backend="onnx").score(PAIRS, raw=True)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.abs(other - expected).max() > 1e-3


@pytest.mark.parametrize(
    "change", [BI["million layers"], BI["enormous width"], BI["enormous vocabulary"]]
)
def test_a_backbone_of_impossible_size_is_refused(
    koelectra: Path, tmp_path: Path, change: Change
) -> None:
    folder = Path(shutil.copytree(koelectra, tmp_path / "backbone"))
    change(folder)
    with pytest.raises(BackboneError, match="asks for"):
        check_sizes(folder, error=BackboneError)


def test_unlisted_notes_and_exports_are_no_part_of_an_artifact(
    artifacts: dict[str, Path], tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(artifacts["bi"], tmp_path / "whole"))
    (folder / "notes.md").write_text("mine")
    (folder / ".gitattributes").write_text("")
    (folder / "onnx" / "fp32").mkdir(parents=True)
    (folder / "onnx" / "fp32" / "export.json").write_text("{}")
    before = read_manifest(artifacts["bi"])
    assert read_manifest(folder).measured == before.measured
