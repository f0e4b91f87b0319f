"""Options that name saved encoders and what computes them, and the opening of these encoders."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click
from click.shell_completion import CompletionItem

from kosim.encoders.bundle import BUNDLED_ENCODERS, saved_encoder
from kosim.encoders.compute.runtime import Backend, Precision
from kosim.encoders.errors import ConfigError
from kosim.experiments.cli.console import notes
from kosim.experiments.cli.options import Command, add_options, complete_names, option

if TYPE_CHECKING:
    from kosim.encoders.base import PairEncoder
    from kosim.encoders.bi import BiEncoder
    from kosim.encoders.compute.choice import ComputeChoice
    from kosim.encoders.cross import CrossEncoder
    from kosim.index.corpus_index import CorpusIndex


class SavedEncoder(click.ParamType):
    """The folder of a saved encoder, the name of a bundled one, or a model of others.

    That is a sentence-transformers model or a cross-encoder, by folder or hub id.
    """

    name = "encoder"

    def convert(self, value: Any, param: Any, ctx: Any) -> Path:
        """Return the folder."""
        return saved_encoder(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Offer the bundled encoders, and folders."""
        return complete_names(BUNDLED_ENCODERS, incomplete, kind="dir")


SAVED_ENCODER = SavedEncoder()


def model_option(*names: str, **described: Any) -> Callable[[Command], Command]:
    """Return an option that names a saved encoder."""
    return option(*names, type=SAVED_ENCODER, metavar="MODEL", **described)


def encoder_option(
    *, help: str = "Bi-encoder that retrieves: a folder, hub id, or mini-bi.", **described: Any
) -> Callable[[Command], Command]:
    """Return the option ``--encoder`` of the commands that retrieve."""
    return model_option("--encoder", help=help, **described)


def reranker_option(
    *,
    help: str = "Encoder that reranks, preferably a cross-encoder: folder, hub id, or mini-cross.",
    **described: Any,
) -> Callable[[Command], Command]:
    """Return the option ``--reranker`` of the commands that rerank."""
    return model_option("--reranker", help=help, **described)


backend_option = option(
    "--backend",
    type=click.Choice(get_args(Backend)),
    help="Library that computes; onnx is faster on a CPU.",
    shown_default="onnx where an export is there and for int8, torch otherwise",
)

precision_option = option(
    "--precision",
    type=click.Choice(get_args(Precision)),
    default="fp32",
    help="Arithmetic of the encoders; int8 is the fastest (see kosim export).",
)

device_option = option(
    "--device", metavar="DEVICE", help="Torch device, such as cpu or cuda:0.", shown_default="best"
)


@dataclass(frozen=True)
class ComputeOptions:
    """The values of ``--backend``, ``--precision`` and ``--device``."""

    backend: Backend | None = None
    precision: Precision = "fp32"
    device: str | None = None

    @property
    def choice(self) -> ComputeChoice:
        """The backend and precision, checked.

        Raises:
            ConfigError: they do not go together.
        """
        from kosim.encoders.compute.choice import ComputeChoice

        return ComputeChoice.of(self.backend, self.precision)

    def in_full_precision(self) -> ComputeOptions:
        """Return the same backend, to compute in full precision."""
        if self.precision == "fp32":
            return self
        full = self.choice.full
        return replace(self, backend=full.backend, precision=full.precision)

    def load(self, folder: str | Path) -> BiEncoder | CrossEncoder:
        """Open a saved encoder.

        Raises:
            ArtifactError: it is no encoder, or damaged.
            ConfigError: the options do not fit together.
            MissingExtraError: the backend's packages are not installed.
        """
        from kosim.encoders.bundle import is_bundled
        from kosim.encoders.compute.export_store import export_folder
        from kosim.encoders.loading import load

        backend = self.choice.backend
        path = Path(folder)
        # The folder is looked at where that matters: opening an encoder says what is wrong with it.
        if backend == "onnx" and not (
            is_bundled(path) or export_folder(path, self.precision).is_dir()
        ):
            notes.print(f"{folder} is exported to onnx in {self.precision} once", style="dim")
        encoder = load(path, backend=self.backend, precision=self.precision, device=self.device)
        if context := click.get_current_context(silent=True):
            context.call_on_close(functools.partial(_note_truncated, encoder))
        return encoder


def score_name(*, calibrated: bool) -> str:
    """Return what a table calls a score on 0-5, which only a calibrated encoder has."""
    return "score" if calibrated else "score (not calibrated)"


def _note_truncated(encoder: PairEncoder) -> None:
    """Say how much of what a command read was cut, if anything."""
    if encoder.truncated:
        what = "pairs" if encoder.kind == "cross" else "texts"
        notes.print(
            f"{what} cut at the {encoder.max_length} tokens that the {encoder.kind}-encoder reads: "
            f"{encoder.truncated:,}",
            style="yellow",
        )


def compute_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say what computes; the command gets them as ``compute``."""

    @functools.wraps(command)
    def with_compute(
        *args: Any, backend: Any, precision: Any, device: str | None, **options: Any
    ) -> Any:
        return command(*args, compute=ComputeOptions(backend, precision, device), **options)

    return add_options([backend_option, precision_option, device_option], with_compute)


def open_bi_encoder(folder: str | Path, compute: ComputeOptions) -> BiEncoder:
    """Open a saved bi-encoder.

    Raises:
        ConfigError: it is a cross-encoder.
        ArtifactError: it is no encoder, or damaged.
    """
    from kosim.encoders.bi import BiEncoder

    encoder = compute.load(folder)
    if not isinstance(encoder, BiEncoder):
        raise ConfigError(
            f"{folder} is a {encoder.kind}-encoder; an index needs a bi-encoder (a cross-encoder "
            "can be its --reranker)"
        )
    return encoder


def open_index_encoder(
    index: CorpusIndex, given: Path | None, compute: ComputeOptions
) -> BiEncoder:
    """Open the encoder that built an index, from its recorded path or from ``given``.

    Raises:
        CorpusIndexError: it is not at that path, or another encoder is.
        ConfigError: it is a cross-encoder.
        ArtifactError: it is no encoder, or damaged.
    """
    from kosim.index.index_encoder import check_encoder, encoder_folder

    folder = given or encoder_folder(index, option="--encoder")
    encoder = open_bi_encoder(folder, compute)
    check_encoder(index, encoder)
    return encoder


def open_reranker(folder: Path | None, compute: ComputeOptions) -> PairEncoder | None:
    """Open the encoder that reranks, of either kind; None where ``folder`` is None.

    Raises:
        ArtifactError: it is no encoder, or damaged.
    """
    return None if folder is None else compute.load(folder)
