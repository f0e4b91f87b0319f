"""Compare bi-encoders and cross-encoders on Korean sentence similarity, and search with both.

::

    import kosim

    kosim.load("mini-cross").score([("거실 불 꺼 줘", "거실 조명 좀 꺼 줄래?")])

A name is imported when it is first asked for: ``import kosim`` loads nothing heavy.
"""

from __future__ import annotations

import importlib
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kosim.encoders.bi import BiEncoder
    from kosim.encoders.cross import CrossEncoder
    from kosim.encoders.errors import KosimError
    from kosim.encoders.loading import load
    from kosim.encoders.records import LabelledPairs
    from kosim.encoders.training.config import TrainingConfig
    from kosim.encoders.training.run import train
    from kosim.experiments.comparison.in_python import compare
    from kosim.experiments.teaching.in_python import teach
    from kosim.index.build import build_index
    from kosim.index.corpus_index import CorpusIndex
    from kosim.index.mining import mine
    from kosim.index.searcher import Searcher

    __version__: str

__all__ = [
    "BiEncoder",
    "CorpusIndex",
    "CrossEncoder",
    "KosimError",
    "LabelledPairs",
    "Searcher",
    "TrainingConfig",
    "build_index",
    "compare",
    "load",
    "mine",
    "teach",
    "train",
]

_PUBLIC = {
    "BiEncoder": "kosim.encoders.bi",
    "CorpusIndex": "kosim.index.corpus_index",
    "CrossEncoder": "kosim.encoders.cross",
    "KosimError": "kosim.encoders.errors",
    "LabelledPairs": "kosim.encoders.records",
    "Searcher": "kosim.index.searcher",
    "TrainingConfig": "kosim.encoders.training.config",
    "build_index": "kosim.index.build",
    "compare": "kosim.experiments.comparison.in_python",
    "load": "kosim.encoders.loading",
    "mine": "kosim.index.mining",
    "teach": "kosim.experiments.teaching.in_python",
    "train": "kosim.encoders.training.run",
}
"""The module that defines each public name."""

_MOVED = {
    "CompareSettings": "kosim.experiments.settings",
    "DistillationConfig": "kosim.encoders.distillation.run",
    "Document": "kosim.index.documents",
    "Hit": "kosim.encoders.records",
    "MinedPair": "kosim.index.mining",
    "PretrainingConfig": "kosim.encoders.pretraining.run",
    "SearchHit": "kosim.index.documents",
    "SearchResult": "kosim.index.documents",
    "TrainingResult": "kosim.encoders.training.result",
    "distill": "kosim.encoders.distillation.run",
    "extend_index": "kosim.index.build",
    "pretrain": "kosim.encoders.pretraining.run",
    "read_corpus": "kosim.index.corpus",
    "train_tokenizer": "kosim.encoders.tokenizers.training",
}
"""Names that were public in version 0.1: they still resolve, with a DeprecationWarning."""


_CHECKOUT = Path(__file__).resolve().parents[1]
if (_CHECKOUT / "setup.cfg").is_file():
    # In a checkout the rooms stand beside this folder. It hides an installed kosim from Python
    # that is started at the checkout's root, and must then lead to its own rooms.
    __path__.append(str(_CHECKOUT))


def _resolve(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # which costs more than all else here

        return version("kosim")
    module = _PUBLIC.get(name)
    if module is None:
        module = _MOVED.get(name)
        if module is None:
            raise AttributeError(f"module 'kosim' has no attribute {name!r}")
        warnings.warn(
            f"kosim.{name} has moved: use `from {module} import {name}`",
            DeprecationWarning,
            stacklevel=2,
        )
    try:
        value = getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as error:
        from kosim.encoders.errors import left_out

        raise left_out(error, f"kosim.{name}") from error
    globals()[name] = value
    return value


if not TYPE_CHECKING:  # which would take any name for one that is there
    __getattr__ = _resolve


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
