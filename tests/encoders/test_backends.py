"""Backends: the same scores by any of them, exports that are made once and never trusted blindly.

The reference is sentence-transformers' own ``encode`` and ``predict`` on the same weights.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import itertools
import json
import logging
import os
import re
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sentence_transformers

from kosim.encoders.artifact import read_manifest
from kosim.encoders.base import PairEncoder
from kosim.encoders.bi import BiEncoder
from kosim.encoders.compute.export_store import ExportRecord, ExportStore
from kosim.encoders.errors import ArtifactError, ConfigError, MissingExtraError
from kosim.encoders.loading import KINDS, load
from kosim.encoders.storage import sha256
from kosim.encoders.training.run import train
from tests.encoders.tiny import PROMPT, SENTENCES, TRAIN, VALIDATION, config

if any(importlib.util.find_spec(name) is None for name in ("onnx", "onnxruntime", "onnxscript")):
    pytest.skip("the extra onnx is not installed", allow_module_level=True)

PAIRS = [(first, second) for first in SENTENCES for second in SENTENCES]
BOTH = [("onnx", "fp32"), ("onnx", "int8")]


@pytest.fixture
def place(kind: str, exported: dict[str, Path]) -> Path:
    """The exported artifact of each kind; copy it before changing it."""
    return exported[kind]


@pytest.fixture
def copied(exported: dict[str, Path], tmp_path: Path) -> Path:
    """An exported artifact that the test may change; its kind does not matter."""
    return Path(shutil.copytree(exported["cross"], tmp_path / "copy"))


def reference(kind: str, folder: Path, pairs: list[tuple[str, str]]) -> np.ndarray:
    """Score pairs with plain sentence-transformers."""
    if kind == "cross":
        return np.asarray(
            sentence_transformers.CrossEncoder(str(folder), device="cpu").predict(pairs)
        )
    plain = sentence_transformers.SentenceTransformer(str(folder), device="cpu")
    first, second = (plain.encode(list(texts)) for texts in zip(*pairs, strict=True))
    return np.sum(first * second, axis=1)


@pytest.mark.parametrize("backend", ["torch", "onnx"])
def test_raw_scores_are_those_of_sentence_transformers(
    kind: str, place: Path, backend: Any
) -> None:
    raw = load(place, backend=backend).score(PAIRS, raw=True)
    assert raw.dtype == np.float32
    np.testing.assert_allclose(raw, reference(kind, place, PAIRS), atol=1e-5)


def test_long_inputs_are_cut_as_sentence_transformers_cuts_them(kind: str, place: Path) -> None:
    long = [(" ".join(SENTENCES * first), " ".join(SENTENCES * second)) for first, second in LONG]
    for backend in ("torch", "onnx"):
        raw = load(place, backend=backend).score(long, raw=True)  # type: ignore[arg-type]
        np.testing.assert_allclose(raw, reference(kind, place, long), atol=1e-5)


LONG = [(1, 8), (8, 1), (8, 8), (4, 3), (30, 2), (3, 30)]


def test_vectors_are_those_of_torch(exported: dict[str, Path]) -> None:
    one, other = (load(exported["bi"], backend=backend) for backend in ("torch", "onnx"))  # type: ignore[arg-type]
    assert isinstance(one, BiEncoder)
    assert isinstance(other, BiEncoder)
    cosines = np.sum(one.encode(SENTENCES) * other.encode(SENTENCES), axis=1)
    assert cosines.min() > 0.9999
    assert other.dimension == one.dimension


def test_int8_scores_closely_but_not_equally(kind: str, place: Path) -> None:
    full, integer = (
        load(place, precision=precision).score(VALIDATION.pairs, raw=True)  # type: ignore[arg-type]
        for precision in ("fp32", "int8")
    )
    assert 0 < np.abs(full - integer).max() < 0.1


# The classifier's two, and those of a last layer of which one token is computed: query, keys and
# values by head, the attention's output, the feed-forward network.
ONE_TOKEN = [(32, 1), (32, 16, 2), (32, 16, 2), *[(32, 32)] * 3, (64, 32), (64, 32)]


@pytest.mark.parametrize(("kind", "alone", "layers"), [("bi", [], 2), ("cross", ONE_TOKEN, 1)])
def test_int8_leaves_products_of_one_vector_a_row_alone(
    exported: dict[str, Path], kind: str, alone: list[tuple[int, ...]], layers: int
) -> None:
    import onnx

    place = exported[kind] / "onnx" / "int8" / "model.onnx"
    graph = onnx.load(place, load_external_data=False).graph
    weights = {one.name: tuple(sorted(one.dims, reverse=True)) for one in graph.initializer}
    by_type: dict[str, list[tuple[int, ...]]] = {
        "MatMul": [],
        "Gemm": [],
        "MatMulIntegerToFloat": [],
    }
    for node in graph.node:
        if node.op_type in by_type and node.input[1] in weights:
            by_type[node.op_type].append(weights[node.input[1]])
    assert sorted(by_type["MatMul"] + by_type["Gemm"]) == sorted(alone)
    assert (
        len(by_type["MatMulIntegerToFloat"]) == 1 + layers * 6
    )  # the embeddings' projection first


@pytest.mark.parametrize(("backend", "precision"), BOTH)
def test_what_an_encoder_is_does_not_depend_on_what_computes(
    encoder: PairEncoder, place: Path, backend: Any, precision: Any
) -> None:
    again = load(place, backend=backend, precision=precision)
    assert (again.backend, again.precision) == (backend, precision)
    assert again.fingerprint() == encoder.fingerprint()
    assert again.parameters == encoder.parameters
    assert again.max_length == encoder.max_length
    assert again.token_lengths(PAIRS).tolist() == encoder.token_lengths(PAIRS).tolist()


def test_int8_means_onnx(place: Path) -> None:
    assert load(place, precision="int8").backend == "onnx"


def test_the_model_of_a_quantised_export_has_no_weights_in_memory(place: Path) -> None:
    encoder = load(place, precision="int8")
    assert {weight.device.type for weight in encoder.model.parameters()} == {"meta"}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's cache of its own for one test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_an_encoder_from_a_backbone_is_exported_to_the_cache_and_frees_its_weights(
    bi: BiEncoder, koelectra: Path, cache: Path
) -> None:
    made = BiEncoder.from_backbone(str(koelectra), precision="int8")
    assert len(list((cache / "kosim" / "onnx").rglob("model.onnx"))) == 1
    assert {weight.device.type for weight in made.model.parameters()} == {"meta"}
    gap = made.score(PAIRS, raw=True) - bi.score(PAIRS, raw=True)
    assert 0 < np.abs(gap).max() < 0.1


def test_an_export_is_made_once(copied: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("exported again")

    monkeypatch.setattr("kosim.encoders.compute.onnx_graph.export_graph", refuse)
    monkeypatch.setattr("kosim.encoders.compute.onnx_graph.quantise_graph", refuse)
    for backend, precision in BOTH:
        load(copied, backend=backend, precision=precision)  # type: ignore[arg-type]


def test_an_artifact_with_exports_is_whole(place: Path) -> None:
    assert sorted(path.name for path in (place / "onnx").iterdir()) == [
        "fp32",
        "fp32.lock",
        "int8",
        "int8.lock",
    ]
    load(place)


def _other_weights(record: dict[str, Any]) -> None:
    record["measured"] = "0" * 64


def _other_library(record: dict[str, Any]) -> None:
    record |= {"refused": "loses much", "versions": {**record["versions"], "onnxruntime": "0.1"}}


def _other_format(record: dict[str, Any]) -> None:
    record["format"] = 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_other_weights, "was made from other weights"),
        (_other_library, "was refused as made with onnxruntime 0.1"),
        (_other_format, "is of format 3"),
    ],
)
def test_an_export_that_does_not_match_is_made_again_and_said_so(
    copied: Path, change: Any, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = copied / "onnx" / "int8" / "export.json"
    record = json.loads(path.read_text())
    right = dict(record)
    change(record)
    path.write_text(json.dumps(record))
    with caplog.at_level(logging.WARNING):
        load(copied, precision="int8")
    assert said in caplog.text
    assert json.loads(path.read_text())["fingerprint"] == right["fingerprint"]
    caplog.clear()
    load(copied, precision="int8")
    assert not caplog.text


def test_torch_computes_in_place_of_an_export_that_does_not_match_and_it_is_said(
    copied: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = copied / "onnx" / "fp32" / "export.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 3}))
    changed = path.read_bytes()
    with caplog.at_level(logging.WARNING):
        assert load(copied).backend == "torch"
    assert re.search(
        r"is of format 3, not \d+, so torch computes; .kosim export. can make it again", caplog.text
    )
    assert path.read_bytes() == changed


@pytest.mark.parametrize("file", ["model.onnx", "model.onnx.data", "export.json"])
def test_a_damaged_export_is_made_again(
    copied: Path, file: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = copied / "onnx" / "int8" / file
    path.write_bytes(path.read_bytes()[:-7])
    before = load(copied).score(PAIRS, raw=True)
    with caplog.at_level(logging.WARNING):
        after = load(copied, precision="int8").score(PAIRS, raw=True)
    assert "is damaged" in caplog.text or "has no readable export.json" in caplog.text
    assert 0 < np.abs(after - before).max() < 0.1


def test_an_artifact_that_cannot_be_written_is_exported_to_the_cache(
    copied: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(copied / "onnx" / "int8")
    monkeypatch.setattr(os, "access", lambda path, mode: not path.is_relative_to(copied))
    encoder = load(copied, precision="int8")
    assert not (copied / "onnx" / "int8").exists()
    assert encoder.precision == "int8"
    place = cache / "kosim" / "onnx" / read_manifest(copied).measured[:32]
    assert (place / "int8" / "model.onnx").is_file()


def test_where_no_cache_can_be_written_an_export_is_temporary(
    koelectra: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    (tmp_path / "file").write_text("in the way of a folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    encoder = BiEncoder.from_backbone(str(koelectra), backend="onnx", seed=8)
    assert np.isfinite(encoder.score(PAIRS[:2])).all()
    assert [message for message in caplog.messages if "XDG_CACHE_HOME" in message]


def test_a_module_without_its_distribution_has_a_version(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def version(name: str) -> str:
        if name == "onnxruntime":  # as with onnxruntime-gpu
            raise importlib.metadata.PackageNotFoundError(name)
        return find(name)

    find = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", version)
    encoder = load(place, backend="onnx")
    assert np.isfinite(encoder.score(PAIRS[:2])).all()


def test_an_export_of_the_cache_is_copied_beside_the_weights(
    artifacts: dict[str, Path], cache: Path, tmp_path: Path, kind: str
) -> None:
    encoder, measured = load(artifacts[kind], device="cpu"), read_manifest(artifacts[kind]).measured
    settings = encoder.settings()
    ExportStore(measured).make(encoder._network(), "fp32", encoder.fingerprint(), settings)
    own = Path(shutil.copytree(artifacts[kind], tmp_path / "copy"))
    exports = ExportStore(measured, own)
    cached, kept = exports.find("fp32"), exports.keep("fp32")
    assert cached is not None and cached.graph.is_relative_to(cache)
    assert kept is not None and kept.graph == own / "onnx" / "fp32" / "model.onnx"
    assert ExportStore(measured, own).find("fp32") == kept
    assert load(own, backend="onnx").fingerprint() == encoder.fingerprint()


def test_an_int8_score_does_not_depend_on_its_batch(kind: str, place: Path) -> None:
    encoder = load(place, precision="int8")
    together = encoder.score(VALIDATION.pairs)
    alone = np.concatenate([encoder.score([pair]) for pair in VALIDATION.pairs])
    np.testing.assert_allclose(together, alone, atol=0.002)


def _unknown_opset(graph: bytes) -> bytes:
    import onnx

    model = onnx.load_from_string(graph)
    model.opset_import[0].version = 99
    serialized: bytes = model.SerializeToString()
    return serialized


@pytest.mark.parametrize(
    ("change", "said"),
    [(lambda _: b"no graph", "Protobuf"), (_unknown_opset, "Opset 99")],
)
def test_a_graph_that_cannot_be_run_is_named(copied: Path, change: Any, said: str) -> None:
    graph = copied / "onnx" / "int8" / "model.onnx"
    graph.write_bytes(change(graph.read_bytes()))
    record = ExportRecord(**json.loads((graph.parent / "export.json").read_text()))
    record.files["model.onnx"] = sha256(graph)
    record.write(graph.parent)
    with pytest.raises(ArtifactError, match=f"{said}.*use backend torch") as caught:
        load(copied, precision="int8")
    assert "\n" not in str(caught.value)
    assert ".h:" not in str(caught.value)


@pytest.mark.parametrize("change", [{"positions": 3}, {"fingerprint": "0" * 64}])
def test_a_record_that_was_changed_is_damage(copied: Path, change: dict[str, Any]) -> None:
    path = copied / "onnx" / "fp32" / "export.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    exports = ExportStore(read_manifest(copied).measured, copied)
    assert exports.find("fp32") is None
    assert "is damaged: export.json is missing or was changed" in exports.unusable["fp32"]


def test_an_export_of_another_precision_is_none(copied: Path) -> None:
    shutil.rmtree(copied / "onnx" / "fp32")
    (copied / "onnx" / "int8").rename(copied / "onnx" / "fp32")
    exports = ExportStore(read_manifest(copied).measured, copied)
    assert exports.find("fp32") is None
    assert exports.unusable["fp32"].endswith("onnx/fp32 computes in int8")


def test_torch_computes_in_place_of_a_refused_export_and_it_is_said(
    copied: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ExportStore(read_manifest(copied).measured, copied).refuse("fp32", "it loses much")
    with caplog.at_level(logging.WARNING):
        assert load(copied).backend == "torch"
    assert re.search(r"was refused by kosim export: it loses much, so torch computes", caplog.text)


@pytest.mark.parametrize("package", ["onnx", "onnxruntime", "onnxscript"])
def test_a_missing_package_is_named_with_its_extra(
    saved: Path, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == package else find(name)
    )
    with pytest.raises(MissingExtraError, match=rf'{package}, .*pip install "kosim\[onnx\]"'):
        load(saved, backend="onnx")


def test_a_processor_without_the_instructions_is_refused_int8_only(
    kind: str, place: Path, koelectra: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kosim.encoders.compute.backends.platform.machine", lambda: "x86_64")
    processor = tmp_path / "cpuinfo"
    processor.write_text("flags : fpu sse4_2 avx\n")
    monkeypatch.setattr("kosim.encoders.compute.backends._PROCESSOR", processor)
    said = "int8 requires AVX2, .* choose precision fp32"
    with pytest.raises(ConfigError, match=said):
        load(place, precision="int8")
    with pytest.raises(ConfigError, match=said):
        KINDS[kind].from_backbone(str(koelectra), precision="int8")
    for backend in ("torch", "onnx"):
        scores = load(place, backend=backend).score(PAIRS[:3])  # type: ignore[arg-type]
        assert np.isfinite(scores).all()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"backend": "tensorrt"}, "'tensorrt' is unknown; choose from torch, onnx"),
        ({"backend": "torch", "precision": "int8"}, "torch does not compute in int8"),
        ({"backend": "onnx", "precision": "bf16"}, "onnx does not compute in bf16"),
        ({"backend": "onnx", "device": "cuda:0"}, "computes on the CPU, not on cuda:0"),
        ({"precision": "int8", "device": "mps"}, "computes on the CPU, not on mps"),
    ],
)
def test_what_does_not_fit_is_refused(
    kind: str, saved: Path, koelectra: Path, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        load(saved, **options)
    with pytest.raises(ConfigError, match=said):
        KINDS[kind].from_backbone(str(koelectra), **options)


def test_an_encoder_without_its_weights_is_neither_saved_nor_trained(
    place: Path, tmp_path: Path
) -> None:
    encoder = load(place, precision="int8")
    with pytest.raises(ConfigError, match="int8 by onnx is not saved"):
        encoder.save(tmp_path / "copy")
    with pytest.raises(ConfigError, match="int8 by onnx cannot be trained"):
        train(encoder, TRAIN, VALIDATION, config())


def test_an_export_is_the_default_where_it_is_there(kind: str, place: Path, saved: Path) -> None:
    assert load(place).backend == load(place, device="cpu").backend == "onnx"
    assert load(saved).backend == "torch"
    assert load(place, precision="bf16").backend == "torch"


def test_an_encoder_opened_from_an_export_can_be_saved_and_trained(
    place: Path, tmp_path: Path
) -> None:
    encoder = load(place)
    before, fingerprint = encoder.score(PAIRS, raw=True), encoder.fingerprint()
    encoder.save(tmp_path / "copy")
    again = load(tmp_path / "copy")
    assert (again.backend, again.fingerprint()) == ("torch", fingerprint)
    np.testing.assert_allclose(again.score(PAIRS, raw=True), before, atol=1e-5)
    encoder = load(place)
    train(encoder, TRAIN, VALIDATION, config(epochs=1))
    assert encoder.fingerprint() != fingerprint
    assert np.abs(encoder.score(PAIRS, raw=True) - before).max() > 1e-4


@pytest.mark.slow
def test_pooling_and_prompt_are_part_of_the_graph(koelectra: Path, cache: Path) -> None:
    full = BiEncoder.from_backbone(str(koelectra), pooling="max", prompt=PROMPT, device="cpu")
    graph = BiEncoder.from_backbone(str(koelectra), pooling="max", prompt=PROMPT, backend="onnx")
    np.testing.assert_allclose(graph.encode(SENTENCES), full.encode(SENTENCES), atol=1e-5)


def test_an_encoder_finds_nothing_where_nothing_was_exported(cache: Path) -> None:
    assert ExportStore("0" * 64).find("fp32") is None


def test_a_batch_that_fails_leaves_the_threads_at_work(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = load(place, backend="onnx")
    monkeypatch.setattr(encoder.runtime, "_threads", 2)
    encoder.runtime._pool = ThreadPoolExecutor(2)  # type: ignore[attr-defined]
    expected = encoder.score(PAIRS, raw=True, batch_size=2)
    run = encoder.runtime.run
    calls = itertools.count()

    def fail_at_third(batch: Any) -> Any:
        if next(calls) == 2:
            raise MemoryError
        return run(batch)

    monkeypatch.setattr(encoder.runtime, "run", fail_at_third)
    with pytest.raises(MemoryError):
        encoder.score(PAIRS, raw=True, batch_size=2)
    np.testing.assert_array_equal(encoder.score(PAIRS, raw=True, batch_size=2), expected)
