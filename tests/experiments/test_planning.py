"""The arithmetic of a plan, against closed forms, files and figures worked out by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from kosim.encoders.bundle import saved_encoder
from kosim.encoders.compute.choice import ComputeChoice
from kosim.encoders.errors import ConfigError, DataError
from kosim.encoders.loading import load
from kosim.experiments.cli import main
from kosim.experiments.speed.planning.demand import GIBIBYTE, Demand
from kosim.experiments.speed.planning.measurements import (
    Layout,
    Measurements,
    SizeFigures,
    layout_parts,
)
from kosim.experiments.speed.planning.measuring import (
    PlanSizes,
    answering_bytes,
    measure_indexes,
    measure_machine,
    mix,
)
from kosim.experiments.speed.planning.plan import make_plan, predict
from kosim.experiments.speed.planning.scaling import (
    build_seconds,
    disk_bytes,
    resident_bytes,
    search_seconds,
    segments,
)
from kosim.experiments.speed.processes import alone
from kosim.index.vectors.vector_index import VectorIndex
from tests.experiments.alone_tasks import in_this_process


def size(rows: int, seconds: float, *, bytes_a_row: int = 1536, build: float = 1.0) -> SizeFigures:
    return SizeFigures(
        rows=rows,
        disk_bytes=rows * bytes_a_row,
        resident_bytes=rows * bytes_a_row,
        build_seconds=build,
        search_seconds=seconds,
        recall=0.99,
    )


def measurements(**changes: Any) -> Measurements:
    """One core: 100 sentences and 50 pairs a second, 10 ms a query, 2 GiB a process."""
    figures: dict[str, Any] = {
        "created": "2026-01-01T00:00:00+00:00",
        "encoder": "bi",
        "reranker": "cross",
        "corpus": "the bundled sample",
        "dimension": 384,
        "encoded_sentences": 2_000,
        "mixed_vectors": 18_000,
        "sentences_per_second": 100.0,
        "query_seconds": 0.01,
        "pairs_per_second": 50.0,
        "process_bytes": 2 * GIBIBYTE,
        "document_bytes": 100.0,
        "types": {
            "flat": [size(5_000, 0.0005), size(20_000, 0.002)],
            "hnsw": [
                size(5_000, 0.001, bytes_a_row=1808),
                size(20_000, 0.002, bytes_a_row=1808),
            ],
            "ivfpq": [size(20_000, 0.001)],
        },
        "environment": {"processor": "one"},
    }
    return Measurements(**{**figures, **changes})


@pytest.mark.parametrize(
    ("type", "rows", "expected"),
    [
        ("flat", 5, [5]),
        ("flat", 25_000_000, [10_000_000, 10_000_000, 5_000_000]),
        ("hnsw", 2_000_000, [1_000_000, 1_000_000]),
    ],
)
def test_segments_are_those_of_the_store(type: Any, rows: int, expected: list[int]) -> None:
    assert segments(rows, type) == expected


def test_bytes_of_flat_and_hnsw_are_as_many_a_row_as_measured() -> None:
    types = measurements().types
    assert disk_bytes("flat", 1_000_000, 384, types["flat"]) == 1_536_000_000
    assert resident_bytes("hnsw", 1_000_000, 384, types["hnsw"]) == 1_808_000_000


def test_bytes_of_compressed_vectors_by_hand() -> None:
    # 1,000,000 rows: 4,000 lists; codes of 96 bytes and ids of 8; centres and centroids of 1,536.
    lists = 1_000_000 * (96 + 8) + (4_000 + 256) * 1_536
    types = measurements().types
    assert resident_bytes("ivfpq", 1_000_000, 384, types["ivfpq"]) == lists
    assert disk_bytes("ivfpq", 1_000_000, 384, types["ivfpq"]) == lists + 1_000_000 * 1_536


@pytest.mark.parametrize(
    "layout", [pytest.param("ivfpq", marks=pytest.mark.slow), "rabitq", "rabitq int8"]
)
def test_bytes_are_those_of_the_files(tmp_path: Path, layout: Layout) -> None:
    random = np.random.default_rng(0)
    vectors = random.standard_normal((12_000, 16), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    type, stored = layout_parts(layout)
    VectorIndex.write(tmp_path, vectors, type, stored=stored)
    written = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert disk_bytes(layout, 12_000, 16, []) == pytest.approx(written, rel=0.01)


def test_a_scan_grows_with_the_rows() -> None:
    assert search_seconds("flat", 2_000_000, [size(20_000, 0.002)]) == pytest.approx(0.2)


def test_compressed_lists_grow_with_the_root() -> None:
    found = search_seconds("ivfpq", 2_000_000, [size(20_000, 0.001)])
    assert found == pytest.approx(0.001 * math.sqrt(100))


def test_a_graph_grows_as_between_its_two_sizes() -> None:
    # Four times the rows, twice the time: the root.
    sizes = [size(5_000, 0.001), size(20_000, 0.002)]
    assert search_seconds("hnsw", 500_000, sizes) == pytest.approx(0.002 * 5)


def test_a_graph_grows_within_bounds() -> None:
    steep = [size(5_000, 0.001), size(20_000, 0.1)]
    level = [size(5_000, 0.001), size(20_000, 0.001)]
    assert search_seconds("hnsw", 200_000, steep) == pytest.approx(0.1 * 10**0.6)
    assert search_seconds("hnsw", 200_000, level) == pytest.approx(0.001 * 10**0.1)


def test_times_between_measured_sizes_are_interpolated() -> None:
    sizes = [size(5_000, 0.001), size(20_000, 0.004)]
    assert search_seconds("flat", 5_000, sizes) == pytest.approx(0.001)
    assert search_seconds("flat", 10_000, sizes) == pytest.approx(0.002)
    assert search_seconds("flat", 20_000, sizes) == pytest.approx(0.004)


def test_segments_are_searched_one_after_the_other() -> None:
    sizes = [size(1_000_000, 0.003)]
    assert search_seconds("hnsw", 3_000_000, sizes) == pytest.approx(0.009)


def test_building_is_linear_and_a_graph_takes_the_logarithm_too() -> None:
    sizes = [size(10_000, 0.001, build=3.0), size(20_000, 0.001, build=5.0)]
    assert build_seconds("ivfpq", 100_000, sizes) == pytest.approx(1.0 + 20.0)
    expected = 5.0 * 100_000 * math.log(100_001) / (20_000 * math.log(20_001))
    assert build_seconds("hnsw", 100_000, sizes) == pytest.approx(expected)


def test_a_prediction_by_hand() -> None:
    found = predict(measurements(), "flat", 1_000_000)
    assert found.disk == 1_000_000 * (1_536 + 100)
    assert found.memory == 2 * GIBIBYTE + 1_536_000_000
    assert found.encode_seconds == 10_000
    assert found.search_seconds == pytest.approx(0.1)


def test_a_plan_by_hand() -> None:
    """100 million sentences on nodes of 64 GiB, of which 80% less 2 GiB are for the index."""
    demand = Demand(100_000_000, queries_per_second=10, candidates=50, node_cores=16)
    options = {
        option.type: option
        for plan in [make_plan(demand, measurements())]
        for option in (plan.chosen, *plan.alternatives)
    }
    flat = options["flat"]
    assert flat.shards == math.ceil(100_000_000 * 1_536 / (49.2 * GIBIBYTE)) == 3
    # A query: 10 ms to encode, 1e-7 s a row over all shards, 50 pairs at 20 ms.
    assert flat.query_core_seconds == pytest.approx(0.01 + 10.0 + 1.0, rel=1e-6)
    assert flat.cores == pytest.approx(10 * 11.01 / 0.7, rel=1e-6)
    assert flat.replicas == math.ceil(10 * 11.01 / 0.7 / (3 * 16)) == 4
    assert flat.nodes == 12
    assert flat.encode_seconds == pytest.approx(100_000_000 / 100 / (12 * 16))
    assert flat.latency_seconds == pytest.approx(0.01 + 10.0 / 3 + 1.0, rel=1e-6)
    # 10 segments of 10 million in one shard; each takes the root of 500 times 1 ms.
    ivfpq = options["ivfpq"]
    assert ivfpq.shards == 1
    assert ivfpq.query_core_seconds == pytest.approx(0.01 + 10 * 0.001 * math.sqrt(500) + 1.0)
    assert ivfpq.nodes == math.ceil(10 * ivfpq.query_core_seconds / 0.7 / 16)


def test_the_fewest_nodes_are_chosen() -> None:
    plan = make_plan(Demand(100_000_000, queries_per_second=10), measurements())
    nodes = [option.nodes for option in (plan.chosen, *plan.alternatives)]
    assert nodes == sorted(nodes)
    assert plan.chosen.type == "ivfpq"


def test_every_measured_figure_stands_among_the_assumptions() -> None:
    told = {name: value for name, value, _ in make_plan(Demand(1_000), measurements()).assumptions}
    assert told["sentences encoded"] == "100 a second"
    assert told["pairs reranked"] == "50.0 a second"
    assert told["process with its encoders"] == "2.00 GiB"
    assert told["hnsw, structure"] == "1808 bytes a vector"
    assert told["vectors mixed from encoded ones"] == "18,000 beside 2,000"


def test_a_type_that_was_not_measured_is_told() -> None:
    known = measurements()
    without = {type: sizes for type, sizes in known.types.items() if type != "ivfpq"}
    plan = make_plan(Demand(1_000), known.model_copy(update={"types": without}))
    assert ("ivfpq left out", "9,984 vectors needed", "--sample-vectors") in plan.assumptions
    assert {option.type for option in plan.alternatives} | {plan.chosen.type} == {"flat", "hnsw"}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sentences": 0}, "sentences is 0"),
        ({"sentences": 10**13}, "sentences is 1e+13"),
        ({"queries_per_second": math.nan}, "queries_per_second is nan"),
        ({"queries_per_second": -1.0}, "queries_per_second is -1"),
        ({"node_memory": 0.0}, "node_memory is 0"),
        ({"utilisation": 1.5}, "utilisation is 1.5"),
    ],
)
def test_absurd_numbers_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Demand(**{"sentences": 1_000, **changes})
    assert said in str(caught.value)


def test_all_absurd_numbers_are_told_at_once() -> None:
    with pytest.raises(ConfigError, match=r"sentences is 0.*node_cores is 0"):
        Demand(0, node_cores=0)


def test_nodes_that_cannot_hold_the_encoders_are_refused() -> None:
    with pytest.raises(ConfigError, match="give larger nodes"):
        make_plan(Demand(1_000, node_memory=2.0), measurements())


def test_reranking_that_was_not_measured_is_refused() -> None:
    without = measurements(reranker=None, pairs_per_second=None)
    with pytest.raises(ConfigError, match="no reranker was measured"):
        make_plan(Demand(1_000), without)
    assert make_plan(Demand(1_000, candidates=0), without).chosen.nodes == 1


def test_measurements_are_kept(tmp_path: Path) -> None:
    measurements().save(tmp_path / "m.json")
    assert Measurements.load(tmp_path / "m.json") == measurements()


@pytest.mark.parametrize("content", ["{", "[]", '{"format": 2}'])
def test_other_files_are_no_measurements(tmp_path: Path, content: str) -> None:
    (tmp_path / "m.json").write_text(content)
    with pytest.raises(DataError, match="measure again"):
        Measurements.load(tmp_path / "m.json")


def test_mixed_vectors_are_of_unit_length_beside_those_given() -> None:
    given = np.eye(4, dtype=np.float32)
    made = mix(given, 50)
    np.testing.assert_array_equal(made[:4], given)
    np.testing.assert_allclose(np.linalg.norm(made, axis=1), 1, atol=1e-6)
    assert len(mix(given, 3)) == 3


def test_indexes_are_measured_as_they_are_written() -> None:
    vectors = mix(np.eye(16, dtype=np.float32), 500)
    beside, figures = measure_indexes(0.0, vectors, ["불을 켜 줘"])
    assert [one["rows"] for one in figures["hnsw"]] == [100, 400]
    assert figures["ivfpq"] == []  # too few to train on
    assert figures["flat int8"][1]["disk_bytes"] == pytest.approx(400 * 16, rel=0.05)
    flat = figures["flat"][1]
    assert flat["disk_bytes"] == pytest.approx(400 * 16 * 4, rel=0.01)
    assert beside > len("불을 켜 줘".encode()) + 16


def test_the_memory_holds_both_encoders() -> None:
    texts = ["거실 불 꺼 줘", "내일 날씨 알려 줘"]
    bi, cross = saved_encoder("mini-bi"), saved_encoder("mini-cross")
    found = answering_bytes(0.0, bi, cross, ComputeChoice(), texts)
    assert found > 4 * (load(bi).parameters + load(cross).parameters)


@pytest.mark.slow
def test_the_memory_is_that_of_one_process_with_its_encoders() -> None:
    texts = ["거실 불 꺼 줘", "내일 날씨 알려 줘"]
    bi, cross = saved_encoder("mini-bi"), saved_encoder("mini-cross")
    alone_bytes = alone(answering_bytes, bi, None, ComputeChoice(), texts)
    both_bytes = alone(answering_bytes, bi, cross, ComputeChoice(), texts)
    weights = 4 * load(cross).parameters
    assert weights < both_bytes - alone_bytes < alone_bytes


def test_the_command_prints_a_plan_of_kept_measurements(tmp_path: Path) -> None:
    kept = tmp_path / "m.json"
    measurements().save(kept)
    arguments = ["plan", "--sentences", "1e9", "--queries-per-second", "200"]
    result = CliRunner().invoke(main, [*arguments, "--measurements", str(kept), "--json"])
    assert result.exit_code == 0, result.output
    plan = json.loads(result.stdout)
    assert plan["demand"]["sentences"] == 1_000_000_000
    assert plan["chosen"]["nodes"] >= 1
    told = {one["assumption"]: one["value"] for one in plan["assumptions"]}
    assert told["sentences encoded"] == "100 a second"
    shown = CliRunner().invoke(main, [*arguments, "--measurements", str(kept)])
    assert "1,000,000,000 sentences" in shown.output
    assert "candidates reranked" in shown.output
    other = CliRunner().invoke(
        main, [*arguments, "--measurements", str(kept), "--dimensions", "64"]
    )
    assert other.exit_code == 2
    assert "the measurements are of dimensions 384, not 64" in " ".join(other.output.split())


@pytest.mark.slow
def test_indexes_of_fewer_dimensions_are_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kosim.experiments.speed.planning.measuring.alone", in_this_process)
    sizes = PlanSizes(sample=200, vectors=200, pairs=1)
    found = measure_machine(saved_encoder("mini-bi"), None, None, sizes, dimensions=64)
    assert found.dimension == 64
    largest = found.types["flat int8"][-1]
    assert largest.disk_bytes == pytest.approx(largest.rows * 64, rel=0.1)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--sentences", "1e6"], "no encoder is given"),
        (["--sentences", "1.5"], "give a whole number"),
        (["--sentences", "inf"], "give a whole number"),
        (["--sentences", "1e6", "--encoder", "nowhere"], "nowhere does not exist"),
    ],
)
def test_a_wrong_call_is_one_line(options: list[str], said: str) -> None:
    result = CliRunner().invoke(main, ["plan", *options])
    assert result.exit_code == 2
    assert said in result.output
