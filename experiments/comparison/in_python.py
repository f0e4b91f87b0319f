"""A comparison from Python: pairs from anywhere in, and results that a notebook can show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from pydantic import PrivateAttr
from transformers import TrainerCallback

from kosim.encoders.errors import ConfigError, DataError, StorageError
from kosim.encoders.language import Language, text
from kosim.encoders.records import LabelledPairs
from kosim.encoders.storage import atomic_file
from kosim.encoders.texts import described
from kosim.experiments.comparison import run
from kosim.experiments.comparison.plots import predictions as score_plots
from kosim.experiments.comparison.report import COMPARISON
from kosim.experiments.comparison.results import COMPARED, ComparisonResults
from kosim.experiments.settings import CompareSettings, named_after, read_settings
from kosim.experiments.study.figures import Estimate
from kosim.experiments.study.progress import Progress, notebook_progress
from kosim.experiments.study.report.canvas import drawn
from kosim.experiments.study.run_folder import choose_folder

Source = Any
"""Labelled pairs: a path, a DataFrame, a data set, `LabelledPairs`, or (text, text, label) rows."""

_COLUMNS = ("sentence1", "sentence2", "label", "source")


class Comparison(ComparisonResults):
    """A finished comparison: its results, and ways to look at them.

    ``folder`` holds the report, the trained encoders and everything else of the run.
    """

    _folder: Path = PrivateAttr()

    @classmethod
    def open(cls, folder: str | Path) -> Comparison:
        """Open the folder of a finished comparison.

        Raises:
            StorageError: there is none, or it is of a newer version.
        """
        return cls._of(COMPARISON.read(Path(folder)), Path(folder))

    @classmethod
    def _of(cls, results: ComparisonResults, folder: Path) -> Comparison:
        found = cls.model_construct(
            **{name: getattr(results, name) for name in type(results).model_fields}
        )
        found._folder = folder
        return found

    @property
    def folder(self) -> Path:
        """Where the run is."""
        return self._folder

    @property
    def predictions(self) -> pd.DataFrame:
        """One row a seed and test pair: its texts, source and label, and every encoder's score.

        Raises:
            StorageError: the file is not there any more.
        """
        path = self._folder / run.PREDICTIONS
        try:
            return pd.read_parquet(path)
        except (OSError, ValueError) as error:
            raise StorageError(f"cannot read {path}: {error}; run the comparison again") from error

    def summary(self, *, language: Language = "en") -> str:
        """Return what was found, in sentences: warnings first, then verdict, advice and reasons."""
        found = COMPARISON.finding(self)
        lines = [*found.warnings, found.headline, found.advice, *found.sentences]
        return "\n".join(text(line, language) for line in lines if line is not None)

    def to_frame(self) -> pd.DataFrame:
        """Return the metrics on the test pairs, one row an encoder.

        A metric has three columns: its value and, as ``pearson_low`` and ``pearson_high``, the
        interval of its true value; NaN where it is undefined.
        """
        rows = {}
        for name, encoder in self.encoders.items():
            row: dict[str, object] = {"kind": encoder.kind, "backbone": encoder.backbone}
            for metric in COMPARED:
                figure = encoder.test.get(metric)
                known = isinstance(figure, Estimate)
                for part, key in (
                    ("value", metric),
                    ("low", f"{metric}_low"),
                    ("high", f"{metric}_high"),
                ):
                    row[key] = getattr(figure, part) if known else float("nan")
            row["pairs_per_second"] = encoder.pairs_per_second
            rows[name] = row
        return pd.DataFrame.from_dict(rows, orient="index")

    def plot(self) -> Figure:
        """Draw each encoder's scores against the labels of the test pairs, side by side."""
        return drawn(score_plots(self))

    def __repr__(self) -> str:
        figures = ", ".join(
            f"{name} Pearson {figure.value:.3f}"
            if isinstance(figure := encoder.test.get("pearson"), Estimate)
            else name
            for name, encoder in self.encoders.items()
        )
        return f"Comparison({figures}; {self.test_pairs} test pairs; {str(self._folder)!r})"

    __str__ = __repr__


def compare(
    settings: CompareSettings | None = None,
    out: str | Path | None = None,
    *,
    train: Source | None = None,
    test: Source | None = None,
    backbone: str | Mapping[str, str] | None = None,
    seeds: Sequence[int] = (1,),
    training: Mapping[str, Any] | None = None,
    data: Mapping[str, Any] | None = None,
    resume: bool = False,
    overwrite: bool = False,
    callbacks: Sequence[TrainerCallback] = (),
    progress: Progress | None = None,
    language: Language = "en",
) -> Comparison:
    """Train a bi-encoder and a cross-encoder on the same pairs, and compare them.

    Args:
        settings: everything that can be chosen; instead of ``train`` and the other data.
        out: the folder of the run; when None ``runs/NAME``, or the next such that is free: NAME is
            that of the file ``train`` or of the settings, and ``python`` for pairs in memory.
        train: labelled pairs: a path, a DataFrame, a data set of Hugging Face, `LabelledPairs`, or
            a list of (sentence1, sentence2, label). What is no path is kept beside the run.
        test: likewise; when None a fifth of ``train`` becomes the test set.
        backbone: of both encoders, or a mapping with ``bi`` and ``cross``; ``mini`` when None.
        seeds: of the trainings, one training of each encoder for each.
        training: fields of `TrainingConfig` that both trainings shall have, such as ``epochs``.
        data: further fields of `DataSettings`, such as ``columns`` or ``label_scale``.
        resume: go on with a killed run of the same settings, the newest when ``out`` is None.
        overwrite: replace an earlier run.
        callbacks: transformers' hooks into every training.
        progress: told what is being done; in a notebook one line below the cell when None.
        language: of the report.

    Raises:
        ConfigError: a setting is unknown or impossible; all of them are named at once.
        DataError: pairs cannot be read or used.
        KosimError: of another kind that fits what was wrong.
    """
    if settings is not None and not (train is test is backbone is training is data is None):
        raise ConfigError("give settings, or train, test and backbone; not both")
    if settings is None and train is None:
        raise ConfigError("there is nothing to compare on; give train= pairs, or settings")
    if settings is not None:
        name = settings.name
    else:
        name = named_after(train) if isinstance(train, str | Path) else "python"
    folder = choose_folder(name, out, resume=resume, overwrite=overwrite)
    if settings is None:
        beside = folder.with_name(f"{folder.name}-data")
        files = {
            # Beside a folder without a run lies what a call left that was refused.
            split: _file(
                source,
                beside / f"{split}.parquet",
                split,
                overwrite=overwrite or not folder.exists(),
            )
            for split, source in (("train", train), ("test", test))
            if source is not None
        }
        settings = _settings(name, {**(data or {}), **files}, backbone, list(seeds), training or {})
    results = run.compare(
        settings,
        folder,
        resume=resume,
        overwrite=overwrite,
        callbacks=callbacks,
        progress=progress or notebook_progress(),
        language=language,
    )
    return Comparison._of(results, folder)


def _settings(
    name: str,
    data: Mapping[str, Any],
    backbone: str | Mapping[str, str] | None,
    seeds: list[int],
    training: Mapping[str, Any],
) -> CompareSettings:
    content = read_settings("quickstart")
    chosen = backbone if isinstance(backbone, Mapping) else dict.fromkeys(("bi", "cross"), backbone)
    if unknown := set(chosen) - set(content["encoders"]):
        raise ConfigError(f"backbone names {min(unknown)!r}; its keys are bi and cross")
    for kind, contender in content["encoders"].items():
        contender["training"] = {**contender["training"], **training}
        if chosen.get(kind) is not None:
            contender["backbone"] = str(chosen[kind])
    return CompareSettings.parse({**content, "name": name, "data": data, "seeds": seeds})


def _file(source: Source, kept: Path, name: str, *, overwrite: bool) -> str:
    """Return the file that pairs are in, which is written where they are in memory.

    Raises:
        DataError: they cannot be pairs.
        StorageError: other pairs, of an earlier run, are there.
    """
    if isinstance(source, str | Path):
        return str(source)
    table = _table(source, name)
    try:
        with atomic_file(kept) as partial:
            table.to_parquet(partial, index=False)
            if kept.is_file() and not overwrite and kept.read_bytes() != partial.read_bytes():
                raise StorageError(
                    f"{kept} holds other pairs, of an earlier run; choose another out, or "
                    "overwrite it"
                )
    except (ValueError, TypeError) as error:
        raise DataError(
            f"the pairs of {name} cannot be kept as Parquet ({str(error)[:100]}); give texts and "
            "numbers"
        ) from error
    return str(kept)


def _table(source: Source, name: str) -> pd.DataFrame:
    if isinstance(source, LabelledPairs):
        columns = (source.sentence1, source.sentence2, source.labels, source.sources)
        return pd.DataFrame(dict(zip(_COLUMNS, columns, strict=True)))
    if isinstance(source, pd.DataFrame):
        return source.rename(columns=str)
    if callable(convert := getattr(source, "to_pandas", None)):
        return _table(convert(), name)
    if isinstance(source, Mapping):
        raise DataError(f"{name} is {described(source)}; give one of its tables, or a DataFrame")
    if not isinstance(source, Iterable):
        raise DataError(f"{name} is {described(source)}; give a path, a table or a list of pairs")
    rows = list(source)
    for position, row in enumerate(rows):
        if isinstance(row, str) or not isinstance(row, Sequence) or len(row) != 3:
            raise DataError(
                f"{name}: row {position} is {described(row)}; give (sentence1, sentence2, label)"
            )
    return pd.DataFrame(rows, columns=list(_COLUMNS[:3]))
