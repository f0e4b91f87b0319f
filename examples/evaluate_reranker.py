"""Evaluate any sentence-transformers cross-encoder on labelled pairs, beside kosim's own.

Give it by folder or hub id: ``python examples/evaluate_reranker.py BAAI/bge-reranker-v2-m3``
"""

import sys
from pathlib import Path

from sentence_transformers import CrossEncoder

from kosim import load
from kosim.encoders.metrics import pearson, spearman
from kosim.experiments.data.pairs import load_pairs

TEST = Path(__file__).parent / "data" / "test.csv"


def main(folder: str | None = None) -> None:
    """Print the correlations of ``mini-cross`` and of the model in ``folder``."""
    test = load_pairs(TEST).frame
    pairs = list(zip(test.sentence1, test.sentence2, strict=True))
    scores = {"mini-cross": load("mini-cross").score(pairs)}
    if folder is not None:
        scores[folder] = CrossEncoder(folder).predict(pairs, show_progress_bar=False)
    for name, values in scores.items():
        print(
            f"{name}: Pearson {pearson(test.label, values):.3f}, "
            f"Spearman {spearman(test.label, values):.3f}"
        )


if __name__ == "__main__":
    main(*sys.argv[1:2])
