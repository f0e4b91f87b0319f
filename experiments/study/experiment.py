"""The one shape of every experiment: typed results, the finding in them, and their report."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from kosim.encoders.errors import StorageError
from kosim.encoders.language import Language
from kosim.encoders.storage import read_versioned_json, write_json, write_text
from kosim.experiments.settings import StudySettings
from kosim.experiments.study.finding import Finding
from kosim.experiments.study.report.canvas import Plot
from kosim.experiments.study.report.document import Section, Table
from kosim.experiments.study.report.render import render
from kosim.experiments.study.results import FORMAT, RESULTS, Results
from kosim.experiments.study.run_folder import open_run

R = TypeVar("R", bound=Results)

FORMS = ("md", "html")
"""The forms of a report."""


@dataclass(frozen=True)
class Summary:
    """What a terminal shows of an experiment: its finding and the tables that it rests on."""

    finding: Finding
    tables: Sequence[Table]


@dataclass(frozen=True)
class Experiment(Generic[R]):
    """What an experiment supplies; all that is done with results is done here, once for all.

    Args:
        results: their type.
        finding: draws the conclusion from them.
        sections: the parts of the report; the tables of the first are the console's summary.
        opening: the chart beside the finding, or None where there is none.
        leaves: files of a killed run without settings, by which its folder is known.
    """

    results: type[R]
    finding: Callable[[R], Finding]
    sections: Callable[[R], Sequence[Section]]
    opening: Callable[[R], Plot | None] = lambda _: None
    leaves: Collection[str] = ()

    def to_json(self, results: R) -> dict[str, Any]:
        """Return the content of ``results.json``: the results, and what was found in them."""
        return {**results.model_dump(mode="json"), "finding": self.finding(results).to_json()}

    def summary(self, results: R) -> Summary:
        """Return what a terminal shows."""
        return Summary(self.finding(results), self.sections(results)[0].tables)

    def render(self, form: str, results: R, *, language: Language = "en") -> str:
        """Return the report as ``html`` or ``md``."""
        return render(
            form,
            results,
            self.finding(results),
            self.sections(results),
            opening=self.opening(results),
            language=language,
        )

    def write(self, results: R, folder: Path, *, language: Language = "en") -> None:
        """Write ``report.md``, ``report.html`` and ``results.json`` into a folder.

        Raises:
            StorageError: the folder cannot be written.
        """
        self._write_reports(results, folder, language)
        # Last, because its presence says that the run is whole.
        write_json(folder / RESULTS, self.to_json(results))

    def write_again(self, folder: Path, *, language: Language = "en") -> R:
        """Write the reports of a finished run anew; of ``results.json`` only the finding changes.

        Raises:
            StorageError: the folder holds no such results, or cannot be written.
        """
        results = self.read(folder)
        self._write_reports(results, folder, language)
        content = json.loads((folder / RESULTS).read_text("utf-8"))
        content.pop("verdict", None)  # what the first version called the finding
        write_json(folder / RESULTS, {**content, "finding": self.finding(results).to_json()})
        return results

    def _write_reports(self, results: R, folder: Path, language: Language) -> None:
        for form in FORMS:
            write_text(folder / f"report.{form}", self.render(form, results, language=language))

    def run(
        self,
        folder: Path,
        run: Callable[[], R],
        settings: StudySettings | None = None,
        *,
        resume: bool = False,
        overwrite: bool = False,
        language: Language = "en",
    ) -> R:
        """Run an experiment, and write what it found.

        Args:
            folder: of the run; no other process writes to it meanwhile.
            run: the experiment.
            settings: kept in the folder; an experiment without them cannot be resumed with others.
            resume: whether the folder may hold something already: of this experiment, if it has no
                settings.
            overwrite: remove an earlier run first.
            language: of the report.

        Raises:
            StorageError: the folder is another process's, no run's or that of other settings, or
                cannot be written.
        """
        if resume and settings is None:
            self._check_own(folder)
        with open_run(folder, settings, resume=resume, overwrite=overwrite):
            results = run()
            self.write(results, folder, language=language)
        return results

    def _check_own(self, folder: Path) -> None:
        """Refuse a folder with a report that this experiment did not write."""
        if any((folder / name).exists() for name in self.leaves):
            return
        if (folder / RESULTS).is_file():
            with suppress(StorageError):
                self.read(folder)
                return
        elif not any((folder / f"report.{form}").exists() for form in FORMS):
            return
        raise StorageError(
            f"{folder} holds a report of something else, which would be lost; choose another --out"
        )

    def read(self, folder: Path) -> R:
        """Return the results of a folder, also of one that an earlier version wrote.

        Raises:
            StorageError: there are none, or they are of another experiment or a newer version.
        """
        return read_versioned_json(
            folder / RESULTS,
            self.results,
            newest=FORMAT,
            error=StorageError,
            remedy="give the folder of a finished run of this experiment",
        )
