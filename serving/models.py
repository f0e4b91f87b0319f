"""The encoders and the index that a server serves: checked before it listens, then opened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, get_args

from kosim.encoders.artifact import read_manifest
from kosim.encoders.base import PairEncoder
from kosim.encoders.bi import BiEncoder
from kosim.encoders.bundle import MINI_BI, MINI_CROSS, is_bundled, saved_encoder
from kosim.encoders.compute.choice import ComputeChoice
from kosim.encoders.compute.export_store import ExportStore
from kosim.encoders.compute.runtime import Precision
from kosim.encoders.cross import CrossEncoder
from kosim.encoders.errors import ConfigError, CorpusIndexError
from kosim.encoders.foreign import check_openable, find_foreign, is_foreign
from kosim.encoders.interface import Encoder
from kosim.encoders.loading import choose, kind_of, load
from kosim.encoders.model_card import read_card
from kosim.encoders.records import Kind
from kosim.encoders.suitability import check_scoring
from kosim.index.corpus_index import CorpusIndex
from kosim.index.index_encoder import encoder_folder
from kosim.index.searchable import HoldsVectors, Searchable
from kosim.index.searcher import Mode, Searcher
from kosim.index.sharding.folder import Shards
from kosim.serving.batched_encoders import BatchedBiEncoder, BatchedCrossEncoder
from kosim.serving.microbatch import BatchReport, BatchSettings
from kosim.serving.settings import ServingSettings

if TYPE_CHECKING:
    from kosim.serving.cluster.deployment import Cluster
    from kosim.serving.cluster.remote import RemoteCrossEncoder

Opened = TypeVar("Opened", bound=PairEncoder)
_OPTIONS = {"bi": "--encoder", "cross": "--reranker"}


@dataclass(frozen=True)
class Models:
    """What one server process serves; at least one of the encoders is there."""

    bi: BatchedBiEncoder | None
    cross: BatchedCrossEncoder | RemoteCrossEncoder | None
    searcher: Searcher[Searchable] | None
    refiner: BatchedCrossEncoder | None = None
    """The cross-encoder in full precision, for what lies around the last hit of a search."""

    @classmethod
    def open(
        cls,
        settings: ServingSettings,
        report: Callable[[str], Callable[[BatchReport], None]],
        cluster: Cluster | None = None,
    ) -> Models:
        """Load the encoders, start their threads and open the index.

        Args:
            settings: what `check_models` has found to be in order.
            report: of an encoder's kind, what is called after its every batch.
            cluster: where index and cross-encoder are at work already; here when None.

        Raises:
            KosimError: something cannot be opened after all.
        """
        index: Searchable | None = None
        cross: BatchedCrossEncoder | RemoteCrossEncoder | None = None
        if cluster is not None:
            index, cross = cluster.index, cluster.cross
        elif settings.index is not None:
            index = CorpusIndex.open(settings.index)
        batches = BatchSettings(
            settings.batch_wait / 1000, settings.batch_tokens, settings.batching
        )
        exact: Precision = "fp32" if settings.refine else settings.precision
        bi = None
        if (folder := _bi_folder(settings, index)) is not None:
            encoder = _loaded(folder, BiEncoder, settings, exact)
            bi = BatchedBiEncoder(encoder, batches, report("bi"))
        refiner = None
        if cross is None and settings.cross is not None:
            classifier = _loaded(settings.cross, CrossEncoder, settings, settings.precision)
            cross = BatchedCrossEncoder(classifier, batches, report("cross"))
            if settings.refine:
                classifier = _loaded(settings.cross, CrossEncoder, settings, exact)
                refiner = BatchedCrossEncoder(classifier, batches, report("refiner"))
        searcher = None
        if index is not None and bi is not None:
            searcher = Searcher(index, bi, cross, refiner=refiner)
        return cls(bi, cross, searcher, refiner)

    @property
    def served(self) -> dict[str, BatchedBiEncoder | BatchedCrossEncoder | RemoteCrossEncoder]:
        """The encoders by kind, the bi-encoder first."""
        both = {"bi": self.bi, "cross": self.cross}
        return {kind: encoder for kind, encoder in both.items() if encoder is not None}

    @property
    def best(self) -> BatchedBiEncoder | BatchedCrossEncoder | RemoteCrossEncoder:
        """The cross-encoder, or the bi-encoder where there is none."""
        return list(self.served.values())[-1]

    @property
    def modes(self) -> list[Mode]:
        """The ways to search that are installed."""
        return list(get_args(Mode)) if find_spec("kiwipiepy") else ["dense"]

    @property
    def alive(self) -> bool:
        """Whether every encoder's thread is at work."""
        return all(encoder.alive for encoder in self._at_work)

    def close(self) -> None:
        """Finish what waits, and end the encoders' threads."""
        for encoder in self._at_work:
            encoder.close()

    @property
    def _at_work(self) -> list[BatchedBiEncoder | BatchedCrossEncoder | RemoteCrossEncoder]:
        return [*self.served.values(), *([self.refiner] if self.refiner else [])]


def with_default_models(settings: ServingSettings) -> ServingSettings:
    """Return settings that name at least one model: the bundled encoders where none is given.

    Raises:
        ConfigError: none is given, and this installation lacks the bundled ones.
    """
    if settings.bi or settings.cross or settings.index:
        return settings
    bi, cross = saved_encoder(MINI_BI), saved_encoder(MINI_CROSS)
    if not (bi.is_dir() and cross.is_dir()):
        raise ConfigError(
            f"no model is given, and {bi.parent} lacks the bundled encoders; reinstall kosim, "
            "or say which encoders to serve with --encoder MODEL, --reranker MODEL or --index INDEX"
        )
    return settings.model_copy(update={"bi": bi, "cross": cross})


def check_models(settings: ServingSettings) -> None:
    """Check all that can be wrong with encoders and index, without loading a network.

    Raises:
        ArtifactError: a folder is no saved encoder, or damaged, or its card cannot be read.
        ConfigError: an encoder is of the wrong kind, the device is unknown, backend, precision and
            device do not go together, or the processor lacks the instructions of the precision.
        MissingExtraError: the backend's packages are not installed.
        CorpusIndexError: the index is none, damaged, of another encoder, or its own is gone.
    """
    choice = ComputeChoice.of(settings.backend, settings.precision)
    choice.device(settings.device)  # one that is not there is refused
    if settings.cross is not None:
        _checked(settings, settings.cross, "cross")
    index: HoldsVectors | None = None
    if settings.index is not None:
        opened = Shards.open if settings.ray is not None else CorpusIndex.open
        index = opened(settings.index)
    folder = _bi_folder(settings, index)
    if folder is None:
        return
    fingerprint = _checked(settings, folder, "bi")
    if index is not None and fingerprint not in (None, index.encoder.fingerprint):
        raise CorpusIndexError(
            f"{index.folder} was made with the encoder {index.encoder.name} "
            f"({index.encoder.fingerprint[:12]}), not with {folder} "
            f"({str(fingerprint)[:12]}); serve the former, or build an index with the latter"
        )


def name_of(encoder: Encoder) -> str:
    """Return the name by which an encoder is served: bundled, of its folder, or of the hub."""
    if is_bundled(encoder.backbone.path):
        return encoder.backbone.path.name
    if encoder.backbone.path.name == encoder.backbone.revision:
        return encoder.backbone.name
    return f"{encoder.backbone.path.parent.name}/{encoder.backbone.path.name}".strip("/")


def _bi_folder(settings: ServingSettings, index: HoldsVectors | None) -> Path | None:
    if settings.bi is not None or index is None:
        return settings.bi
    return encoder_folder(index, option="--encoder")


def _checked(settings: ServingSettings, path: Path, kind: Kind) -> str | None:
    """Check that an encoder is of a kind; return its fingerprint if that is written down."""
    manifest = None
    if is_foreign(path):
        check_openable(path)
    else:
        manifest = read_manifest(path)
    found = manifest.kind if manifest else kind_of(path)
    if found != kind:
        raise ConfigError(
            f"{_OPTIONS[kind]} {path} is a {found}-encoder; give it as {_OPTIONS[found]}"
        )
    read_card(path if manifest else find_foreign(path).path)  # which the page shows
    if manifest is None:
        return None
    exports = ExportStore(manifest.measured, path)
    choose(exports, settings.backend, settings.precision, settings.device)
    return manifest.fingerprint


def _loaded(
    folder: Path, kind: type[Opened], settings: ServingSettings, precision: Precision
) -> Opened:
    backend = settings.backend
    if backend is None and settings.precision != "fp32":  # what refines has the same one
        backend = ComputeChoice.of(None, settings.precision).backend
    encoder = load(folder, device=settings.device, backend=backend, precision=precision)
    if not isinstance(encoder, kind):
        raise ConfigError(f"{folder} is a {encoder.kind}-encoder; a {kind.kind}-encoder is needed")
    check_scoring(encoder, str(folder))  # a server that is ready must not fail on a long text
    return encoder
