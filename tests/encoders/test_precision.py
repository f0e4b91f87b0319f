"""An encoder in lower precision: the same encoder, close scores, never saved as another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from kosim.encoders.base import PairEncoder
from kosim.encoders.compute.choice import ComputeChoice
from kosim.encoders.compute.runtime import Precision
from kosim.encoders.errors import ConfigError
from kosim.encoders.loading import load
from tests.encoders.tiny import SENTENCES, VALIDATION


def test_lower_precision_keeps_the_fingerprint(encoder: PairEncoder, saved: Path) -> None:
    assert load(saved, precision="bf16").fingerprint() == encoder.fingerprint()


def test_lower_precision_computes_in_it_and_scores_closely(
    encoder: PairEncoder, saved: Path
) -> None:
    lowered = load(saved, precision="bf16")
    assert {weight.dtype for weight in lowered.model.parameters()} == {torch.bfloat16}
    scores = lowered.score(VALIDATION.pairs, raw=True)
    assert scores.dtype == np.float32
    exact = encoder.score(VALIDATION.pairs, raw=True)
    assert 0 < np.abs(scores - exact).max() < 0.05


def test_lowered_weights_are_not_saved(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="bf16 by torch is not saved"):
        load(saved, precision="bf16").save(tmp_path / "copy")


def test_full_precision_cannot_be_brought_back(saved: Path) -> None:
    lowered = load(saved, precision="bf16")
    with pytest.raises(ConfigError, match="opened for torch bf16; load it again for torch fp32"):
        lowered.compute_with(ComputeChoice("torch", "fp32"))


def test_an_unknown_precision_is_refused(saved: Path) -> None:
    with pytest.raises(ConfigError, match="'int3' is unknown"):
        load(saved, precision="int3")  # type: ignore[arg-type]


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_vectors_have_unit_length_in_every_precision(
    encoders: dict[str, Path], precision: Precision
) -> None:
    """The lengths that bf16 computes were refused by the index."""
    vectors = load(encoders["bi"], precision=precision).encode(SENTENCES)
    assert np.abs(np.linalg.norm(vectors.astype(np.float64), axis=1) - 1).max() < 1e-6
