"""What counting shared letters and words alone achieves on the sample's test pairs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.stats import pearsonr
from sklearn.feature_extraction.text import TfidfVectorizer

from kosim.encoders.records import LabelledPairs


def bigrams(text: str) -> set[str]:
    """Return the pairs of adjacent characters of ``text`` without its spaces."""
    dense = text.replace(" ", "")
    return {dense[i : i + 2] for i in range(len(dense) - 1)}


def jaccard(first: str, second: str) -> float:
    """Return |A & B| / |A | B| of two texts' character bigrams, 0 where neither has any."""
    a, b = bigrams(first), bigrams(second)
    return len(a & b) / max(1, len(a | b))


def _tfidf_cosines(
    vectorizer: TfidfVectorizer, train: LabelledPairs, test: LabelledPairs
) -> npt.NDArray[np.float64]:
    # scikit-learn's rows have unit length, so their dot product is the cosine.
    vectorizer.fit([*train.sentence1, *train.sentence2])
    first, second = vectorizer.transform(test.sentence1), vectorizer.transform(test.sentence2)
    return np.asarray(first.multiply(second).sum(axis=1), dtype=np.float64).ravel()


def baselines(train: LabelledPairs, test: LabelledPairs) -> dict[str, float]:
    """Return each baseline's Pearson correlation with the test labels.

    The baselines are the Jaccard similarity of character bigrams, and the cosines of TF-IDF
    vectors over words and over character 1- to 3-grams within words, fitted on ``train``.
    """
    similarities = {
        "character-bigram Jaccard": np.array([jaccard(a, b) for a, b in test.pairs]),
        "TF-IDF cosine, words": _tfidf_cosines(TfidfVectorizer(token_pattern=r"\S+"), train, test),
        "TF-IDF cosine, characters": _tfidf_cosines(
            TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 3)), train, test
        ),
    }
    return {
        name: float(pearsonr(values, test.labels).statistic)
        for name, values in similarities.items()
    }
