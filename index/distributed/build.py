"""An index built by a cluster: Ray Data reads, a pool of workers encodes, this process commits."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from kosim.encoders.bi import BiEncoder
from kosim.encoders.compute.runtime import Backend, Precision
from kosim.encoders.errors import ClusterError, ConfigError, DataError, StorageError
from kosim.encoders.language import both
from kosim.encoders.loading import load
from kosim.index.build import BuildProgress, Report, check_build, identify, spool_settings
from kosim.index.corpus import BadLines
from kosim.index.corpus_files import CorpusFiles
from kosim.index.corpus_index import CorpusIndex
from kosim.index.distributed.connection import AUTO, connected
from kosim.index.distributed.encoding_job import EncodingJob, unpacked_error
from kosim.index.distributed.nodes import Requirements, check_nodes, files_of, token_in, versions
from kosim.index.store.block import Block
from kosim.index.store.generation import AnyType
from kosim.index.store.spool import Spool
from kosim.index.vectors.stored import VectorType

_LOG = logging.getLogger(__name__)

BLOCK = 2_048
"""Documents that a worker encodes at a time, and loses at most when it dies."""


@dataclass(frozen=True)
class ClusterOptions:
    """Where a cluster is and how much of it is used.

    ``address`` is ``host:port`` or `AUTO`; ``workers`` at most encode, one a CPU when None.
    """

    address: str = AUTO
    workers: int | None = None


def build_index_on_cluster(
    source: CorpusFiles,
    encoder: str | Path,
    folder: str | Path,
    *,
    cluster: ClusterOptions = ClusterOptions(),
    type: AnyType = "auto",
    vectors: VectorType = "fp32",
    dimensions: int | None = None,
    backend: Backend | None = None,
    precision: Precision = "fp32",
    device: str | None = None,
    overwrite: bool = False,
    progress: Report | None = None,
    skipped: BadLines | None = None,
    block_size: int = BLOCK,
) -> CorpusIndex:
    """Encode a corpus on a cluster and write its index, the same that one machine would write.

    Every block is written by the worker that encoded it, whole or not at all, into
    ``<folder>.building``, which all nodes must share. A worker or node that dies is replaced by
    Ray, and its block encoded again. After a kill of this process the same call goes on.

    Args:
        source: the corpus; each file is read by one task.
        encoder: the folder of a saved bi-encoder, which all nodes see.
        folder: where the index goes.
        cluster: where to encode.
        type: of the vector index.
        vectors: how vectors are stored.
        dimensions: of the encoder's vectors that are kept; all when None.
        backend: what computes; see `load`.
        precision: likewise.
        device: likewise; each worker gets a GPU of its own where it is "cuda".
        overwrite: replace an index that is there, once the new one is whole.
        progress: called after every block.
        skipped: counts the lines that were left out.
        block_size: documents encoded at a time.

    Raises:
        MissingExtraError: Ray is not installed.
        ClusterError: there is no cluster, a node lacks something, or workers fail again and again.
        ConfigError: a setting is impossible.
        DataError: the corpus is bad, or was changed since an unfinished build.
        StorageError: the folder exists or cannot be written.
        IndexLockedError: another process is building the same index.
    """
    folder = Path(folder).resolve()
    check_build(folder, type, vectors, block_size, overwrite=overwrite)
    if not source.rereadable:
        raise ConfigError("standard input can be read by one process only; give a file")
    model = load(encoder, backend=backend, precision=precision, device=device)
    if not isinstance(model, BiEncoder):
        raise ConfigError(f"{encoder} is a {model.kind}-encoder; an index needs a bi-encoder")
    path = model.backbone.path.resolve()
    identity = identify(model, str(path), dimensions)
    settings = spool_settings(model, identity, block_size)
    most = model.max_length
    del model
    with connected(cluster.address):
        building = folder.with_name(f"{folder.name}.building")
        with Spool.opened(building, settings) as spool:
            if spool.finished:
                raise StorageError(
                    f"{building} is an unfinished build of one machine; continue without a "
                    "cluster, or remove that folder to start again"
                )
            with token_in(building) as token:
                needed = Requirements(
                    versions(), path, identity.fingerprint, files_of(source.paths), token
                )
                cpus = check_nodes(needed)
            job = EncodingJob(path, backend, precision, device, building, settings)
            tally = _Tally(len(source.paths), progress)
            for row in _encoded(source, job, cluster.workers or cpus):
                tally.add(row)
            blocks = chain.from_iterable(
                tally.whole(job.part(file), file) for file in range(len(source.paths))
            )
            tally.note(skipped)
            index = CorpusIndex.create_from_blocks(
                folder, identity, blocks, type=type, vectors=vectors, overwrite=overwrite
            )
            spool.remove()
    if tally.truncated:
        said = both(
            "texts cut at the {most} tokens that the bi-encoder reads: {n}",
            "바이인코더가 읽는 {most}토큰에서 잘린 글: {n}",
            most=str(most),
            n=f"{tally.truncated:,}",
        )
        _LOG.warning("%s", said)
    return index


def _encoded(source: CorpusFiles, job: EncodingJob, workers: int) -> Iterator[dict[str, Any]]:
    """Let the cluster encode, and yield a row for each block that is on the disk.

    Raises:
        ClusterError: workers fail for a reason of their own.
        KosimError: a worker raised it.
    """
    import ray
    from ray.exceptions import RayError

    from kosim.index.distributed.block_encoder import BlockEncoder
    from kosim.index.distributed.corpus_blocks import CorpusBlocks

    _quiet()
    blocks = ray.data.read_datasource(CorpusBlocks(source, job.settings.block_size), num_cpus=0)
    encoded = blocks.map_batches(
        BlockEncoder,
        fn_constructor_args=(job,),
        batch_size=1,
        concurrency=(1, workers),
        num_cpus=1,
        num_gpus=1 if (job.device or "").startswith("cuda") else None,
    )
    try:
        for row in encoded.iter_rows():
            if row["error"]:
                raise unpacked_error(row["error"])
            yield row
    except RayError as error:
        said = [line for line in str(error).splitlines() if line.strip()]
        raise ClusterError(f"the cluster gave up: {said[-1].strip()}") from error


def _quiet() -> None:
    """Leave bars and notes to the command line."""
    import ray

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)


class _Tally:
    """Counts the blocks that workers report, and checks in the end that none is missing."""

    def __init__(self, files: int, progress: Report | None) -> None:
        self._blocks: list[set[int]] = [set() for _ in range(files)]
        self._expected: list[int | None] = [None] * files
        self._progress = progress
        self._documents = self._resumed = self.truncated = 0
        self._skipped = BadLines()

    def add(self, row: dict[str, Any]) -> None:
        """Count a block, or learn how many a file has."""
        file, number, count = row["file"], row["number"], row["count"]
        if not count:
            self._expected[file] = number
            lines, first = json.loads(row["skipped"])
            self._skipped.merge(lines, first)
            return
        self._blocks[file].add(number)
        self._documents += count
        self._resumed += count if row["resumed"] else 0
        self.truncated += row["truncated"]
        if self._progress:
            self._progress(BuildProgress(self._documents, self._resumed))

    def whole(self, part: Spool, file: int) -> Iterator[Block]:
        """Yield the blocks of a file.

        Raises:
            ClusterError: one is missing.
            DataError: there are more: the corpus was changed.
        """
        expected = self._expected[file]
        if expected is None or self._blocks[file] != set(range(expected)):
            raise ClusterError(
                f"file {file + 1} of the corpus came back with {len(self._blocks[file])} of "
                f"{expected} blocks; start the build again, it continues with what is there"
            )
        if part.finished != expected:
            raise DataError(
                f"the corpus was changed since {part.folder.parent} was begun: file {file + 1} has "
                f"{expected} blocks, and {part.finished} are encoded; restore it, or remove that "
                "folder to start again"
            )
        yield from part.blocks(expected)

    def note(self, skipped: BadLines | None) -> None:
        """Say what lines were left out."""
        if skipped is not None:
            skipped.merge(self._skipped.count, self._skipped.first)
