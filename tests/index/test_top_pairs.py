"""The best pairs against a sort of all of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from kosim.encoders.encoder_identity import EncoderIdentity
from kosim.encoders.errors import ConfigError
from kosim.index.corpus_index import CorpusIndex
from kosim.index.documents import Document
from kosim.index.top_pairs import neighbour_pairs, top_pairs, top_pairs_of_blocks

Vectors = npt.NDArray[np.float32]


def vectors(count: int, *, dimension: int = 8, seed: int = 0) -> Vectors:
    drawn = np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def exact(count: int) -> Vectors:
    """Return vectors whose products are exact, with very many ties."""
    signs = np.random.default_rng(1).choice([-0.5, 0.5], size=(count, 4))
    return signs.astype(np.float32)


def brute_force(rows: Vectors, count: int) -> list[tuple[int, int]]:
    first, second = np.triu_indices(len(rows), 1)
    products = np.einsum("ij,ij->i", rows[first], rows[second])
    order = np.lexsort((second, first, -products))[:count]
    return list(zip(first[order].tolist(), second[order].tolist(), strict=True))


def found(result: tuple[npt.NDArray[np.generic], ...]) -> list[tuple[int, int]]:
    return list(zip(result[1].tolist(), result[2].tolist(), strict=True))


@pytest.mark.parametrize("count", [1, 50, 4000])
@pytest.mark.parametrize("block", [7, 64, 2048])
def test_best_pairs_are_those_of_brute_force(count: int, block: int) -> None:
    rows = vectors(150)
    result = top_pairs_of_blocks(
        lambda start, stop: rows[start:stop], len(rows), count, block=block
    )
    assert found(result) == brute_force(rows, count)
    scores = np.einsum("ij,ij->i", rows[result[1]], rows[result[2]])
    np.testing.assert_allclose(result[0], scores, atol=1e-6)


@pytest.mark.parametrize("block", [7, 64])
def test_ties_go_to_the_smaller_positions(block: int) -> None:
    rows = exact(120)
    result = top_pairs_of_blocks(lambda start, stop: rows[start:stop], len(rows), 300, block=block)
    assert found(result) == brute_force(rows, 300)


def test_more_pairs_than_there_are_gives_all() -> None:
    assert len(top_pairs(vectors(5), 1000)[0]) == 10


@pytest.mark.parametrize("size", [0, 1])
def test_fewer_than_two_vectors_have_no_pair(size: int) -> None:
    assert [len(part) for part in top_pairs(vectors(size), 3)] == [0, 0, 0]


def test_more_pairs_than_a_block_prunes_to_the_best() -> None:
    rows = vectors(2500, dimension=4)
    products = rows @ rows.T
    best = np.sort(products[np.triu_indices(len(rows), 1)])[::-1][:20]
    np.testing.assert_allclose(top_pairs(rows, 20)[0], best, atol=1e-6)


def test_no_pair_wanted_is_refused() -> None:
    with pytest.raises(ConfigError, match="count is 0"):
        top_pairs(vectors(3), 0)


def test_progress_ends_with_all_rows() -> None:
    done: list[tuple[int, int]] = []
    rows = vectors(10)
    top_pairs_of_blocks(
        lambda start, stop: rows[start:stop],
        10,
        2,
        block=4,
        progress=lambda *counts: done.append(counts),
    )
    assert done == [(4, 10), (8, 10), (10, 10)]


def indexed(folder: Path, rows: Vectors) -> CorpusIndex:
    documents = [Document(str(row), f"문장 {row}") for row in range(len(rows))]
    encoder = EncoderIdentity("f" * 64, "none", rows.shape[1])
    return CorpusIndex.create(folder, encoder, [(documents, rows)])


def test_pairs_of_neighbours_are_the_best_pairs(tmp_path: Path) -> None:
    rows = vectors(300)
    index = indexed(tmp_path / "index", rows)
    index.remove(["0", "7", "299"])
    places = index.rows()
    result = neighbour_pairs(index.snapshot, places, 40, neighbours=20)
    assert found(result) == brute_force(rows[places], 40)


def test_neighbours_of_a_large_cluster_are_all_found(tmp_path: Path) -> None:
    rows = vectors(200, seed=3)
    rows[50:80] = rows[50]
    index = indexed(tmp_path / "index", rows)
    cluster = 30 * 29 // 2
    result = neighbour_pairs(index.snapshot, index.rows(), cluster + 25, neighbours=5)
    assert found(result)[:cluster] == [
        (first, second) for first in range(50, 80) for second in range(first + 1, 80)
    ]
    assert set(found(result)) == set(brute_force(rows, cluster + 25))
