"""What the parts of words do to search by words: what is found, how it ranks, what it costs.

Morphemes alone (the terms of kosim 0.1) stand beside morphemes with pairs of characters, on

* ParaKQC: nDCG@10 of one query for each of 300 intents. The weight of a pair is chosen on 300
  other intents, and on nothing else;
* names and compounds: the queries of ``compounds.tsv`` against sentences made of its names by the
  templates below, among all sentences of ParaKQC. A sentence is relevant if the query stands in it
  letter by letter, spaces aside.

Sizes are those of the stored postings, per sentence. The time is that of a query, as a ratio.

    python -m benchmarks.word_parts ../shared/data/parakqc/paraKQC_v1.txt
"""

from __future__ import annotations

import csv
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import numpy as np

from kosim.encoders.errors import DataError
from kosim.encoders.storage import write_json, write_text
from kosim.experiments.data.sentence_groups import load_groups
from kosim.experiments.retrieval.metrics import ndcg
from kosim.experiments.retrieval.queries import grouped_task
from kosim.experiments.study.environment import describe_environment
from kosim.index.lexical import word_parts
from kosim.index.lexical.bm25 import Bm25, PostingsPart
from kosim.index.lexical.morphemes import Analyzer, MorphemeAnalyzer
from kosim.index.lexical.postings import Postings
from kosim.index.lexical.word_parts import PART_WEIGHT, WordPartAnalyzer

RESULTS = Path(__file__).parent / "results"
_TEMPLATES = (
    "{}에 전화해서 물어봤어요",
    "어제 {} 앞에서 친구를 만났다",
    "이건 {}에요",
    "요즘 {}하고 관련된 뉴스가 많네",
)
_WEIGHTS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0)
_K = 10
_INTENTS = 300

Relevant = Sequence[Mapping[int, float]]


class Words:
    """A corpus under the terms of one analyser."""

    def __init__(self, analyzer: Analyzer, corpus: Sequence[str]) -> None:
        self._analyzer = analyzer
        self.postings = Postings.build([analyzer.terms(corpus)])
        alive = np.ones(len(corpus), dtype=np.bool_)
        self._bm25 = Bm25([PostingsPart(self.postings, 0, alive)])

    def rankings(self, queries: Sequence[str], depth: int = _K + 5) -> list[list[int]]:
        """Return the rows that each query finds, best first."""
        return [
            self._bm25.search(terms, depth)[1].tolist()
            for terms in self._analyzer.query_terms(queries)
        ]

    def size(self) -> int:
        """Return the bytes of the stored postings."""
        with tempfile.TemporaryDirectory() as folder:
            self.postings.write(Path(folder), analyzer="benchmark", generation=1)
            return sum(path.stat().st_size for path in Path(folder).iterdir())


def measured(
    rankings: list[list[int]], relevant: Relevant, own: Sequence[frozenset[int]] | None = None
) -> dict[str, float]:
    """Return nDCG@10, recall@10 (of at most 10) and the share of queries without a right hit."""
    own = own or [frozenset()] * len(relevant)
    kept = [
        [row for row in rows if row not in out][:_K]
        for rows, out in zip(rankings, own, strict=True)
    ]
    gains = np.array(
        [
            [wanted.get(row, 0.0) for row in rows] + [0.0] * (_K - len(rows))
            for rows, wanted in zip(kept, relevant, strict=True)
        ]
    )
    counts = np.array([len(wanted) for wanted in relevant])
    ideal = (np.arange(_K) < counts[:, None]).astype(float)
    return {
        "ndcg": float(np.mean(ndcg(gains, ideal, _K))),
        "recall": float(np.mean(gains.sum(axis=1) / np.minimum(counts, _K))),
        "without": float(np.mean(gains.sum(axis=1) == 0)),
    }


def compounds(path: Path) -> tuple[list[str], list[str]]:
    """Return the sentences made of the names, and the queries."""
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    sentences = [template.format(row["name"]) for row in rows for template in _TEMPLATES]
    return sentences, list(dict.fromkeys(q for row in rows for q in row["queries"].split("|")))


def standing(query: str, corpus: Sequence[str]) -> dict[int, float]:
    """Return the rows in which the query stands, spaces aside."""
    wanted = query.replace(" ", "")
    return {row: 1.0 for row, text in enumerate(corpus) if wanted in text.replace(" ", "")}


@contextmanager
def part_weight(value: float) -> Iterator[None]:
    """Give the parts of words another weight."""
    before, word_parts.PART_WEIGHT = word_parts.PART_WEIGHT, value
    try:
        yield
    finally:
        word_parts.PART_WEIGHT = before


def time_ratio(before: Words, after: Words, queries: Sequence[str]) -> float:
    """Return how many times as long the queries take, alternating, by the best of five."""
    seconds: list[list[float]] = [[], []]
    for _ in range(5):
        for words, taken in zip((before, after), seconds, strict=True):
            start = time.perf_counter()
            words.rankings(queries)
            taken.append(time.perf_counter() - start)
    return min(seconds[1]) / min(seconds[0])


def measure(path: Path) -> dict[str, Any]:
    """Measure everything."""
    groups = load_groups(path)
    order = np.random.default_rng(2026).permutation(groups.count)
    corpus = list(dict.fromkeys(groups.texts))
    chosen_on, asked = (
        grouped_task(groups, corpus, [int(n) for n in part], per_group=1, seed=2026)
        for part in (order[:_INTENTS], order[_INTENTS : 2 * _INTENTS])
    )
    sentences, queries = compounds(Path(__file__).with_name("compounds.tsv"))
    whole = [*corpus, *sentences]
    relevant = [standing(query, whole) for query in queries]
    if missing := [query for query, rows in zip(queries, relevant, strict=True) if not rows]:
        raise DataError(f"no sentence holds {missing[0]!r}; correct compounds.tsv")
    analyzers = {
        "morphemes": MorphemeAnalyzer(earlier=True),
        "with parts": WordPartAnalyzer(MorphemeAnalyzer()),
    }
    plain = {name: Words(analyzer, corpus) for name, analyzer in analyzers.items()}
    mixed = {name: Words(analyzer, whole) for name, analyzer in analyzers.items()}
    weights: dict[str, dict[str, float]] = {}
    for value in _WEIGHTS:
        with part_weight(value):
            rankings = plain["with parts"].rankings(chosen_on.queries)
            weights[f"{value:g}"] = measured(rankings, chosen_on.relevant, chosen_on.own)
    return {
        "weight": PART_WEIGHT,
        "weights": weights,
        "parakqc": {
            name: measured(words.rankings(asked.queries), asked.relevant, asked.own)
            for name, words in plain.items()
        },
        "compounds": {
            name: measured(words.rankings(queries), relevant) for name, words in mixed.items()
        },
        "bytes_per_sentence": {name: words.size() / len(corpus) for name, words in plain.items()},
        "text_bytes_per_sentence": sum(len(text.encode()) for text in corpus) / len(corpus),
        "time_ratio": time_ratio(plain["morphemes"], plain["with parts"], asked.queries),
        "counts": {
            "parakqc": {"sentences": len(corpus), "queries": len(asked)},
            "compounds": {"sentences": len(whole), "queries": len(queries)},
        },
        "environment": describe_environment(),
    }


def table(found: dict[str, Any]) -> str:
    """Return the results in Markdown."""
    rows = [
        "# Search by words: morphemes, and the parts of words beside them",
        "",
        "| | morphemes | with parts |",
        "|---|---|---|",
    ]
    names = ("morphemes", "with parts")
    for task, title in (("parakqc", "ParaKQC"), ("compounds", "names and compounds")):
        counts = found["counts"][task]
        label = f"{title}, {counts['queries']} queries, {counts['sentences']} sentences"
        for key, metric in (
            ("ndcg", "nDCG@10"),
            ("recall", "recall@10"),
            ("without", "queries without a right hit among 10"),
        ):
            values = [found[task][name][key] for name in names]
            shown = [f"{value:.1%}" if key == "without" else f"{value:.3f}" for value in values]
            rows.append(f"| {label}: {metric} | {shown[0]} | {shown[1]} |")
    sizes = [f"{found['bytes_per_sentence'][name]:.0f}" for name in names]
    rows += [
        f"| postings, bytes a sentence (its text: {found['text_bytes_per_sentence']:.0f}) "
        f"| {sizes[0]} | {sizes[1]} |",
        f"| time of a query, analysis included | 1 | {found['time_ratio']:.2f} |",
        "",
        "Weight of a pair beside a morpheme, and nDCG@10 on the 300 intents that choose it:",
        "",
        "| weight | nDCG@10 |",
        "|---|---|",
        *(f"| {value} | {scores['ndcg']:.3f} |" for value, scores in found["weights"].items()),
        "",
        f"kosim uses {found['weight']:g}.",
        "",
    ]
    return "\n".join(rows)


@click.command()
@click.argument("parakqc", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), default=RESULTS, show_default=True)
def main(parakqc: Path, out: Path) -> None:
    """Measure on the file of ParaKQC, and write ``word_parts.json`` and ``.md``."""
    found = measure(parakqc)
    write_json(out / "word_parts.json", found)
    write_text(out / "word_parts.md", table(found))


if __name__ == "__main__":
    main()
