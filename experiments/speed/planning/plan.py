"""From a demand and measurements to machines: what each index type would need."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, get_args

from kosim.encoders.errors import ConfigError
from kosim.experiments.speed.planning.demand import GIBIBYTE, Demand
from kosim.experiments.speed.planning.measurements import (
    Layout,
    Measurements,
    SizeFigures,
    layout_parts,
)
from kosim.experiments.speed.planning.scaling import (
    build_seconds,
    disk_bytes,
    resident_bytes,
    search_seconds,
    segments,
)
from kosim.experiments.study.notation import amount, count, duration, percent
from kosim.index.vectors.vector_index import IndexType, VectorIndex, choose_type


@dataclass(frozen=True)
class Prediction:
    """An index of one layout on one machine: bytes, and seconds of one core.

    ``memory`` is that of a process that searches: itself, its encoders, and what it reads of the
    index. ``disk`` is the whole index with its documents.
    """

    type: Layout
    rows: int
    disk: float
    resident: float
    memory: float
    encode_seconds: float
    build_seconds: float
    search_seconds: float
    recall: float


@dataclass(frozen=True)
class Option:
    """The machines that an index type would need.

    Each of ``shards`` machines holds a part of the corpus and searches every query; there are
    ``replicas`` of all of them. ``query_core_seconds`` is the work of a query on all machines,
    ``latency_seconds`` its time on one core of each, without waiting.
    """

    type: Layout
    total: Prediction
    shards: int
    replicas: int
    nodes: int
    cores: float
    query_core_seconds: float
    latency_seconds: float
    shard_memory: float
    shard_disk: float
    encode_seconds: float


@dataclass(frozen=True)
class Plan:
    """The option with the fewest machines, the others, and what was assumed."""

    demand: Demand
    chosen: Option
    alternatives: tuple[Option, ...]
    built_by_itself: IndexType
    assumptions: tuple[tuple[str, str, str], ...]

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON values; bytes, seconds and cores."""
        named = ("assumption", "value", "source")
        return {
            **asdict(self),
            "assumptions": [dict(zip(named, one, strict=True)) for one in self.assumptions],
        }


def predict(measured: Measurements, type: Layout, rows: int) -> Prediction:
    """Return what an index of so many sentences takes on one machine.

    Raises:
        ConfigError: the type was not measured.
    """
    sizes = _sizes(measured, type)
    resident = resident_bytes(type, rows, measured.dimension, sizes)
    return Prediction(
        type=type,
        rows=rows,
        disk=disk_bytes(type, rows, measured.dimension, sizes) + rows * measured.document_bytes,
        resident=resident,
        memory=measured.process_bytes + resident,
        encode_seconds=rows / measured.sentences_per_second,
        build_seconds=build_seconds(type, rows, sizes),
        search_seconds=search_seconds(type, rows, sizes),
        recall=sizes[-1].recall,
    )


def make_plan(demand: Demand, measured: Measurements) -> Plan:
    """Return the machines for a demand: the index type that needs the fewest, and the others.

    Ties go to the type with fewer cores, and then to the one that finds more.

    Raises:
        ConfigError: a node cannot hold the encoders alone, or reranking was not measured.
    """
    if demand.candidates and measured.pairs_per_second is None:
        raise ConfigError(
            f"candidates are {demand.candidates}, but no reranker was measured; give "
            "--reranker, or --candidates 0"
        )
    options = sorted(
        (_option(demand, measured, type) for type in measured.types),
        key=lambda option: (option.nodes, option.cores, -option.total.recall),
    )
    return Plan(
        demand=demand,
        chosen=options[0],
        alternatives=tuple(options[1:]),
        built_by_itself=choose_type(segments(demand.sentences, "flat")[0])[0],
        assumptions=_assumptions(demand, measured),
    )


def _option(demand: Demand, measured: Measurements, type: Layout) -> Option:
    """Return the nodes of one type.

    Shards: as many as keep what a search reads in the planned share of a node's memory, beside
    the process. Cores: arrivals times work, over the planned utilisation (the utilisation law,
    Lazowska et al. 1984, section 3.3); replicas multiply the shards until there are as many.
    """
    free = demand.node_memory * GIBIBYTE * demand.memory_share - measured.process_bytes
    if free <= 0:
        raise ConfigError(
            f"node_memory is {demand.node_memory:g} GiB, of which {percent(demand.memory_share)} "
            f"is planned with, but a process with its encoders takes "
            f"{measured.process_bytes / GIBIBYTE:.2f} GiB; give larger nodes"
        )
    total = predict(measured, type, demand.sentences)
    shards = min(demand.sentences, math.ceil(total.resident / free))
    shard = predict(measured, type, math.ceil(demand.sentences / shards))
    rerank = demand.candidates / measured.pairs_per_second if measured.pairs_per_second else 0.0
    work = measured.query_seconds + shards * shard.search_seconds + rerank
    cores = demand.queries_per_second * work / demand.utilisation
    replicas = max(1, math.ceil(cores / (shards * demand.node_cores)))
    nodes = shards * replicas
    return Option(
        type=type,
        total=total,
        shards=shards,
        replicas=replicas,
        nodes=nodes,
        cores=cores,
        query_core_seconds=work,
        latency_seconds=measured.query_seconds + shard.search_seconds + rerank,
        shard_memory=shard.memory,
        shard_disk=shard.disk,
        encode_seconds=total.encode_seconds / (nodes * demand.node_cores),
    )


def _sizes(measured: Measurements, type: Layout) -> Sequence[SizeFigures]:
    if type not in measured.types:
        raise ConfigError(
            f"index type {type} was not measured; measure 10,000 vectors or more (--sample-vectors)"
        )
    return measured.types[type]


def _why_missing(layout: Layout) -> tuple[str, str]:
    """Return why a layout has no figures: too few vectors, or measured before it was there."""
    if layout == "ivfpq":
        least = VectorIndex.minimum_rows(layout_parts(layout)[0])
        return f"{least:,} vectors needed", "--sample-vectors"
    return "not in these measurements; measure again", "--measurements"


def _assumptions(demand: Demand, measured: Measurements) -> tuple[tuple[str, str, str], ...]:
    """Return what the plan rests on: what, its value, and where that is from."""
    here = "measured"
    rows: list[tuple[str, str, str]] = [
        ("figures are of", "one core of this machine", measured.created),
        ("sentences are like", measured.corpus, "--corpus"),
        ("sentences encoded", f"{amount(measured.sentences_per_second)} a second", here),
        ("one query encoded", duration(measured.query_seconds).en, here),
    ]
    if demand.candidates:
        pairs = measured.pairs_per_second
        rows.append(("pairs reranked", f"{amount(pairs)} a second", here))
        rows.append(("candidates reranked", count(demand.candidates), "asked for"))
    rows += [
        ("process with its encoders", f"{measured.process_bytes / GIBIBYTE:.2f} GiB", here),
        ("text, id and hashes", f"{amount(measured.document_bytes)} bytes a sentence", here),
    ]
    for type, sizes in measured.types.items():
        last = sizes[-1]
        rows += [
            (f"{type}, structure", f"{last.disk_bytes / last.rows:.0f} bytes a vector", here),
            *(
                (
                    f"{type}, a query of {count(one.rows)}",
                    f"{duration(one.search_seconds).en} (recall@10 {one.recall:.3f})",
                    here,
                )
                for one in sizes
            ),
        ]
    rows += [
        (
            f"{layout} left out",
            *_why_missing(layout),
        )
        for layout in get_args(Layout)
        if layout not in measured.types
    ]
    if measured.mixed_vectors:
        rows.append(
            (
                "vectors mixed from encoded ones",
                f"{count(measured.mixed_vectors)} beside {count(measured.encoded_sentences)}",
                "--sample-sentences",
            )
        )
    return (
        *rows,
        ("other cores", "as fast as this one, also when all compute", "assumed"),
        ("memory planned with", percent(demand.memory_share), "--memory-share"),
        ("time planned with", percent(demand.utilisation), "--utilisation"),
        (
            "growth beyond the measured sizes",
            "flat n, ivfpq and rabitq n^0.5, hnsw as measured",
            "scaling.py",
        ),
    )
