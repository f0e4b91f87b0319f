"""kosim: compare bi-encoders and cross-encoders on Korean sentence similarity.

The public API in one place::

    from kosim import load, train, BiEncoder, CrossEncoder, CorpusIndex, Searcher
"""

from __future__ import annotations

from pathlib import Path

import encoders
import experiments
import index

_HERE = Path(__file__).resolve().parent
for _room in (encoders, index, experiments):
    if _HERE not in Path(_room.__file__ or "").resolve().parents:
        raise ImportError(
            f"kosim needs its own package {_room.__name__!r}, but {_room.__file__} was imported: "
            "another package of that name comes first on sys.path; remove or rename it, or "
            "install kosim in an environment of its own"
        )

from encoders.bi import BiEncoder  # noqa: E402
from encoders.cross import CrossEncoder  # noqa: E402
from encoders.distillation.run import DistillationConfig, distill  # noqa: E402
from encoders.errors import KosimError  # noqa: E402
from encoders.loading import load  # noqa: E402
from encoders.pretraining.run import PretrainingConfig, pretrain  # noqa: E402
from encoders.records import Hit, LabelledPairs  # noqa: E402
from encoders.tokenizers.training import train_tokenizer  # noqa: E402
from encoders.training import TrainingResult, train  # noqa: E402
from encoders.training_config import TrainingConfig  # noqa: E402
from experiments.comparison import compare  # noqa: E402
from experiments.settings import CompareSettings  # noqa: E402
from index.build import build_index, extend_index  # noqa: E402
from index.corpus import read_corpus  # noqa: E402
from index.corpus_index import CorpusIndex  # noqa: E402
from index.documents import Document  # noqa: E402
from index.mining import MinedPair, mine  # noqa: E402
from index.searcher import Searcher, SearchHit, SearchResult  # noqa: E402

__all__ = [
    "BiEncoder",
    "CompareSettings",
    "CorpusIndex",
    "CrossEncoder",
    "DistillationConfig",
    "Document",
    "Hit",
    "KosimError",
    "LabelledPairs",
    "MinedPair",
    "PretrainingConfig",
    "SearchHit",
    "SearchResult",
    "Searcher",
    "TrainingConfig",
    "TrainingResult",
    "build_index",
    "compare",
    "distill",
    "extend_index",
    "load",
    "mine",
    "pretrain",
    "read_corpus",
    "train",
    "train_tokenizer",
]
