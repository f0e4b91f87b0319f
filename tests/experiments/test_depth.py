"""``kosim depth`` end to end, on tiny encoders and made-up sentences."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from kosim.encoders.base import PairEncoder
from kosim.encoders.bi import BiEncoder
from kosim.encoders.calibration import MonotoneCalibration
from kosim.encoders.cross import CrossEncoder
from kosim.encoders.loading import load
from kosim.experiments.retrieval.depth.plan import DepthSettings, ScoringPlan, default_depths
from kosim.experiments.retrieval.depth.run import _recommend
from kosim.experiments.retrieval.depth.scoring import DeepScores
from kosim.experiments.retrieval.depth.survival import QueryLoss
from kosim.index.corpus_index import CorpusIndex
from kosim.index.searcher import Searcher
from tests.experiments.test_retrieval_evaluation import kosim, refusal, sentences

TEXTS = [text for _, text in sentences(20, 4, seed=7)]
OPTIONS = ("--resamples", "999", "--latency-queries", "2", "--candidates", "1,5,10,20,40")


@pytest.fixture(scope="module")
def index(encoders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    corpus = folder / "corpus.txt"
    corpus.write_text("\n".join(TEXTS) + "\n", encoding="utf-8")
    built = kosim("index", "build", corpus, "--encoder", encoders["bi"], "--out", folder / "index")
    assert built.exit_code == 0, built.output
    return folder / "index"


@pytest.fixture(scope="module")
def queries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve sentences of the corpus and twelve new ones."""
    file = tmp_path_factory.mktemp("queries") / "queries.txt"
    new = [text for _, text in sentences(12, 1, seed=8)]
    file.write_text("\n".join([*TEXTS[::7][:12], *new]) + "\n", encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def evaluated(
    index: Path,
    queries: Path,
    encoders: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("runs") / "depth"
    result = kosim(
        *("depth", index, "--reranker", encoders["cross"], "--queries", queries),
        *("--fit-queries", "40", "--fit-depth", "40", "--out", folder, "--json", *OPTIONS),
    )
    assert result.exit_code == 0, (result.output, result.exception)
    return folder, json.loads(result.stdout)


def brute_force(
    index: Path, queries: Path, encoders: dict[str, Path], depths: list[int], *, share: float = 0.0
) -> dict[int, tuple[int, int]]:
    """Return for each depth how many hits survive, and how many there are."""
    bi, cross = load(encoders["bi"]), load(encoders["cross"])
    assert isinstance(bi, BiEncoder)
    vectors = bi.encode(TEXTS)
    found = {depth: [0, 0] for depth in depths}
    for query in queries.read_text(encoding="utf-8").splitlines():
        others = [i for i, text in enumerate(TEXTS) if text != query]
        near = (vectors @ bi.encode([query])[0])[others]
        order = np.array(others)[np.argsort(-near, kind="stable")]
        pairs = [(query, TEXTS[i]) for i in order]
        scores = share * bi.score(pairs) + (1 - share) * cross.score(pairs)
        by = scores if share else cross.score(pairs, raw=True)
        best = np.argsort(-by, kind="stable")[:10]
        hits = best[scores[best] >= 2.5]
        for depth in depths:
            found[depth][0] += int(np.sum(hits < depth))
            found[depth][1] += len(hits)
    return {depth: (kept, total) for depth, (kept, total) in found.items()}


def test_survival_is_that_of_brute_force(
    evaluated: tuple[Path, dict[str, Any]],
    index: Path,
    queries: Path,
    encoders: dict[str, Path],
) -> None:
    results = evaluated[1]
    assert results["scoring"]["exhaustive"]
    expected = brute_force(index, queries, encoders, [1, 5, 10, 20, 40])
    for row in results["depths"]:
        kept, total = expected[row["depth"]]
        assert row["survival"]["value"] == pytest.approx(kept / total)
    assert results["queries"]["hits"] == expected[40][1]
    assert results["queries"]["own_documents_left_out"] == 12


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_survival_by_both_scores_is_that_of_brute_force(
    index: Path, queries: Path, encoders: dict[str, Path], tmp_path: Path, share: float
) -> None:
    labels = np.linspace(0, 5, 21)
    for kind, raw in (("bi", labels / 5), ("cross", 4 * labels - 10)):
        encoder: Any = load(encoders[kind])
        encoder.calibration = MonotoneCalibration.fit(raw, labels)
        encoder.save(tmp_path / kind)
    ours = {kind: tmp_path / kind for kind in ("bi", "cross")}
    result = kosim(
        *("depth", index, "--encoder", ours["bi"], "--reranker", ours["cross"]),
        *("--queries", queries, "--interpolation", f"{share}"),
        *("--out", tmp_path / "out", "--json", *OPTIONS),
    )
    assert result.exit_code == 0, (result.output, result.exception)
    results = json.loads(result.stdout)
    expected = brute_force(index, queries, ours, [1, 5, 10, 20, 40], share=share)
    for row in results["depths"]:
        kept, total = expected[row["depth"]]
        assert row["survival"]["value"] == pytest.approx(kept / total)
    assert results["adaptive"] is None
    assert f"{share:g} of the bi-encoder's" in " ".join(results["finding"]["en"]["sentences"])
    if share == 1:  # the order of retrieval is that of the scores
        assert [row["survival"]["value"] for row in results["depths"]][-3:] == [1, 1, 1]


def test_deeper_never_loses_more(evaluated: tuple[Path, dict[str, Any]]) -> None:
    rows = evaluated[1]["depths"]
    assert np.all(np.diff(evaluated[1]["curve"]) >= 0)
    assert np.all(np.diff([row["regret"]["value"] for row in rows]) <= 1e-9)
    assert np.all(np.diff([row["ndcg"]["value"] for row in rows]) >= -1e-9)


def test_the_recommended_depth_is_the_first_that_keeps_enough(
    evaluated: tuple[Path, dict[str, Any]],
) -> None:
    found, curve = evaluated[1]["recommended"], evaluated[1]["curve"]
    if found["depth"] is None:
        assert max(curve) < 0.99
    else:
        assert curve[found["depth"] - 1] >= 0.99
        assert found["depth"] == 1 or curve[found["depth"] - 2] < 0.99


def test_the_fitted_policy_is_kept_in_the_index_and_judged(
    evaluated: tuple[Path, dict[str, Any]], index: Path, encoders: dict[str, Path]
) -> None:
    chances = evaluated[1]["adaptive"]["chances"]
    possible = [row for row in chances if "calls" in row]
    assert possible
    assert any("impossible" in row for row in chances)
    for row in possible:
        rate = row["miss_rate"]
        assert rate["low"] <= rate["value"] <= rate["high"]
        assert row["calls"]["mean"] <= row["full_calls"]
    searched = kosim(
        *("search", index, TEXTS[0], "--reranker", encoders["cross"]),
        *("--candidates", "auto", "--chance", "0.2", "--json"),
    )
    if "No such option" in searched.output:
        pytest.skip("search has no --chance yet")
    assert searched.exit_code == 0, searched.output


def test_scores_hold_no_texts(evaluated: tuple[Path, dict[str, Any]]) -> None:
    frame = pd.read_parquet(evaluated[0] / "scores.parquet")
    assert set(frame) == {"query", "document", "rank", "cosine", "raw", "weight", "band"}
    # 12 queries stand in the corpus themselves.
    assert len(frame) == 24 * 80 - 12
    words = {word for text in TEXTS for word in text.split()}
    assert not any(word in value for value in frame["document"].unique() for word in words)


def test_the_report_is_written_in_three_forms(evaluated: tuple[Path, dict[str, Any]]) -> None:
    folder, results = evaluated
    assert json.loads((folder / "results.json").read_text(encoding="utf-8")) == results
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert page.count("<svg") >= 1
    assert "http" not in page.replace("http://www.w3.org", "")
    assert "Survival" in (folder / "report.md").read_text(encoding="utf-8")


def test_a_second_call_uses_the_scores_and_gives_the_same(
    evaluated: tuple[Path, dict[str, Any]],
    index: Path,
    queries: Path,
    encoders: dict[str, Path],
) -> None:
    folder, results = evaluated
    written = (folder / "scores.parquet").stat().st_mtime_ns
    result = kosim(
        *("depth", index, "--reranker", encoders["cross"], "--queries", queries),
        *("--fit-queries", "40", "--fit-depth", "40", "--out", folder, "--json", *OPTIONS),
    )
    again = json.loads(result.stdout)
    assert (folder / "scores.parquet").stat().st_mtime_ns == written
    assert again["curve"] == results["curve"]
    assert again["recommended"] == results["recommended"]


def test_other_settings_do_not_mix_with_kept_scores(
    evaluated: tuple[Path, dict[str, Any]],
    index: Path,
    queries: Path,
    encoders: dict[str, Path],
) -> None:
    line = refusal(
        *("depth", index, "--reranker", encoders["cross"], "--queries", queries),
        *("--limit-queries", "3", "--fit-queries", "0", "--out", evaluated[0], *OPTIONS),
    )
    assert "holds the scores of other queries" in line


@pytest.mark.parametrize("left", ["report.md", "results.json"])
def test_a_report_of_something_else_is_not_overwritten(
    left: str, index: Path, queries: Path, encoders: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / left).write_text("{}", encoding="utf-8")
    line = refusal(
        *("depth", index, "--reranker", encoders["cross"], "--queries", queries),
        *("--limit-queries", "3", "--fit-queries", "0", "--out", tmp_path / "run", *OPTIONS),
    )
    assert "holds a report of something else, which would be lost" in line
    assert [path.name for path in (tmp_path / "run").iterdir()] == [left]


def test_an_end_that_no_resample_can_pass_is_not_known() -> None:
    """22 queries that keep all their hits at depth 8 do not show that 99% are kept there."""
    settings = DepthSettings(k=2, keep=0.99, resamples=500)

    def recommended(count: int, lost: int) -> tuple[int | None, int | None]:
        losses = [
            QueryLoss(
                hits=1.0,
                survivors=np.array([0.0, float(n >= lost), 1.0, 1.0]),
                regret=np.zeros(0),
                ndcg=np.zeros(0),
                intruders=np.zeros(0, dtype=np.int64),
                charged=0.0,
            )
            for n in range(count)
        ]
        found = _recommend(losses, settings)
        return found.depth, found.high

    assert recommended(22, lost=4) == (2, None)
    assert recommended(400, lost=40) == (2, 2)


class _CountingReranker(PairEncoder):
    """A cross-encoder that counts its pairs and may be stopped after some."""

    kind = "cross"
    output = CrossEncoder.output
    order_matters = True

    def __init__(self, inner: CrossEncoder, limit: int | None = None) -> None:
        super().__init__(inner.model, backbone=inner.backbone, calibration=inner.calibration)
        self.inner, self.limit, self.pairs = inner, limit, 0

    def _raw_scores(self, pairs: Any, *, batch_size: int, progress: bool) -> Any:
        if self.limit is not None and self.pairs + len(pairs) > self.limit:
            raise KeyboardInterrupt
        self.pairs += len(pairs)
        return self.inner._raw_scores(pairs, batch_size=batch_size, progress=progress)

    def token_lengths(self, pairs: Any) -> Any:
        return self.inner.token_lengths(pairs)

    def _reads_first_token(self) -> bool:
        return True

    def _settings(self) -> dict[str, Any]:
        return self.inner._settings()

    @classmethod
    def _model_type(cls) -> Any:
        raise NotImplementedError

    @classmethod
    def open(cls, folder: Path, manifest: Any, *, device: str | None) -> _CountingReranker:
        raise NotImplementedError


def test_a_killed_run_goes_on_behind_its_last_part(
    index: Path,
    encoders: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("kosim.experiments.retrieval.depth.scoring._PART_PAIRS", 100)
    bi, cross = load(encoders["bi"]), load(encoders["cross"])
    assert isinstance(bi, BiEncoder)
    assert isinstance(cross, CrossEncoder)
    opened = CorpusIndex.open(index)
    asked = [text for _, text in sentences(8, 1, seed=9)]

    def scores(reranker: PairEncoder, folder: Path) -> DeepScores:
        searcher = Searcher(opened, bi, reranker)
        plan = ScoringPlan.make(opened, asked, top=20, draws=20, seed=0)
        return DeepScores(folder, plan, searcher)

    whole = scores(cross, tmp_path / "whole")
    whole.compute(lambda *_: None)
    killed = _CountingReranker(cross, limit=5 * 40)
    with pytest.raises(KeyboardInterrupt):
        scores(killed, tmp_path / "killed").compute(lambda *_: None)
    assert not (tmp_path / "killed" / "scores.parquet").exists()
    resumed = _CountingReranker(cross)
    again = scores(resumed, tmp_path / "killed")
    again.compute(lambda *_: None)
    # Parts hold two queries of 40 pairs each: two parts were done.
    assert resumed.pairs == 8 * 40 - 4 * 40
    for one, other in zip(whole, again, strict=True):
        assert one.raw == pytest.approx(other.raw, abs=1e-5)
        assert one.rest_weights.tolist() == other.rest_weights.tolist()


def test_damaged_scores_are_named(
    evaluated: tuple[Path, dict[str, Any]],
    index: Path,
    queries: Path,
    encoders: dict[str, Path],
    tmp_path: Path,
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(evaluated[0], folder)
    file = folder / "scores.parquet"
    file.write_bytes(file.read_bytes()[:200])
    line = refusal(
        *("depth", index, "--reranker", encoders["cross"], "--queries", queries),
        *("--fit-queries", "40", "--fit-depth", "40", "--out", folder, *OPTIONS),
    )
    assert "scores.parquet is damaged" in line


def test_a_sample_is_said_to_be_one(
    index: Path, queries: Path, encoders: dict[str, Path], tmp_path: Path
) -> None:
    result = kosim(
        *("depth", index, "--reranker", encoders["cross"], "--queries", queries),
        *("--exhaustive-sample", "10", "--fit-queries", "0", "--candidates", "5,10,20"),
        *("--resamples", "999", "--latency-queries", "1", "--out", tmp_path / "out"),
    )
    assert result.exit_code == 0, (result.output, result.exception)
    results = json.loads((tmp_path / "out" / "results.json").read_text(encoding="utf-8"))
    scoring = results["scoring"]
    assert not scoring["exhaustive"]
    assert scoring["pairs"] == 24 * (20 + 10)
    assert sum(band["scored_per_query"] for band in scoring["bands"]) == 10
    assert results["adaptive"] is None
    assert "estimates" in " ".join(results["finding"]["en"]["sentences"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--candidates", "0"], "each at least 1"),
        (["--candidates", "a"], "whole numbers"),
        (["--sample-top", "5", "--candidates", "9"], "--sample-top of at least 9"),
        (["--keep", "1.5"], "keep is 1.5"),
        (["-k", "0"], "k is 0"),
        (["--exhaustive-sample", "-1"], "cannot be negative"),
        (["--limit-queries", "0"], "--limit-queries is 0"),
        (["--queries", "nowhere.txt"], "nowhere.txt"),
        (["--interpolation", "0.5"], "the bi-encoder is not calibrated"),
        (["--interpolation", "0.5", "--fit-queries", "9"], "give --fit-queries 0"),
    ],
)
def test_bad_input_is_one_line(
    index: Path,
    queries: Path,
    encoders: dict[str, Path],
    tmp_path: Path,
    arguments: list[str],
    said: str,
) -> None:
    line = refusal(
        *("depth", index, "--reranker", encoders["cross"], "--queries", queries),
        *(*arguments, "--out", tmp_path / "out"),
    )
    assert said in line
    assert not (tmp_path / "out").exists()


def test_shown_depths_end_where_scoring_does() -> None:
    assert default_depths(60) == (1, 5, 10, 20, 30, 50, 60)
    assert default_depths(None)[-1] == 200


def test_an_index_that_is_not_there_is_named(
    queries: Path, encoders: dict[str, Path], tmp_path: Path
) -> None:
    line = refusal(
        *("depth", tmp_path / "none", "--reranker", encoders["cross"], "--queries", queries)
    )
    assert "none" in line
