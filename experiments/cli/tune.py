"""``kosim tune``: find better hyperparameters for one encoder."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import click
import optuna

from kosim.encoders.errors import ConfigError, StorageError
from kosim.encoders.language import Line
from kosim.encoders.records import Kind
from kosim.experiments.cli.console import chosen_language, notes, output
from kosim.experiments.cli.group import keep_on_interrupt
from kosim.experiments.cli.options import (
    RECIPE,
    json_option,
    language_option,
    option,
    out_option,
    resume_option,
    seed_option,
)
from kosim.experiments.cli.progress import stage_progress, training_progress
from kosim.experiments.cli.summary import say_stages, show
from kosim.experiments.data.partition import load_training
from kosim.experiments.settings import CompareSettings, parse_settings, read_comparison
from kosim.experiments.study.notation import decimal
from kosim.experiments.study.run_folder import choose_folder, default_folder
from kosim.experiments.tuning.plan import LISTING
from kosim.experiments.tuning.report import TUNING
from kosim.experiments.tuning.run import BEST_CONFIG, report_study
from kosim.experiments.tuning.settings import (
    Metric,
    Pruning,
    Sampler,
    TuneSettings,
    data_fingerprint,
    first_of_kind,
)
from kosim.experiments.tuning.space import read_space
from kosim.experiments.tuning.storage import open_storage
from kosim.experiments.tuning.study import begin_study, load_study
from kosim.experiments.tuning.worker import work
from kosim.experiments.tuning.workers import STORAGE_VARIABLE, run_workers

_minutes = option("--minutes", type=float, help="Begin no trial after this many minutes.")
_storage = option(
    "--storage",
    required=True,
    envvar=STORAGE_VARIABLE,
    show_envvar=True,
    metavar="ADDRESS",
    help="Storage of the study: a SQLite file, or postgresql://...",
)
_study = option("--study", "name", required=True, help="Name of the study.")


class _KindFirst(click.Group):
    """``kosim tune bi`` and ``kosim tune cross`` beside the commands worker and report."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] in ("bi", "cross"):
            return "run", self.commands["run"], args
        return super().resolve_command(ctx, args)


@click.group("tune", cls=_KindFirst, subcommand_metavar="bi|cross|worker|report [ARGS]...")
def tune_command() -> None:
    """Find better hyperparameters for the bi-encoder or the cross-encoder."""


@tune_command.command("run", hidden=True)
@click.argument("kind", type=click.Choice(["bi", "cross"]))
@click.argument("config", type=RECIPE, default="quickstart", metavar="[CONFIG|FILE]")
@option(
    "--space",
    default="around",
    metavar="around|documented|FILE",
    help="Search space: around the values of the config, the documented one, or a TOML file.",
)
@option(
    "--sampler",
    type=click.Choice(get_args(Sampler)),
    default="tpe",
    help="Method that draws trials.",
)
@option(
    "--trials",
    type=int,
    help="Number of trials of tpe and random; a grid runs all of its points.",
)
@_minutes
@option("--workers", type=int, default=1, help="Number of worker processes on this machine.")
@option(
    "--storage",
    envvar=STORAGE_VARIABLE,
    show_envvar=True,
    metavar="ADDRESS",
    help="Storage of the study: a SQLite file, or postgresql://...",
    shown_default="study.db in --out",
)
@option(
    "--study", "name", help="Name of the study.", shown_default="names of the config and the kind"
)
@option(
    "--metric",
    type=click.Choice(get_args(Metric)),
    default="pearson",
    help="Validation figure that is maximised.",
)
@option(
    "--prune",
    is_flag=False,
    flag_value="median",
    type=click.Choice(get_args(Pruning)),
    help="End hopeless trials early: median (without a value), or hyperband.",
)
@seed_option("the sampler")
@option("--limit", type=int, help="Maximum number of training pairs.")
@option("--no-test", is_flag=True, help="Do not evaluate on the test pairs.")
@resume_option
@out_option(default="runs/tune-STUDY", help="Folder of the report.")
@language_option
@json_option
def run_command(
    kind: Kind,
    config: str,
    space: str,
    minutes: float | None,
    workers: int,
    storage: str | None,
    name: str | None,
    limit: int | None,
    no_test: bool,
    resume: bool,
    out: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Tune one encoder of CONFIG, or on the pairs of FILE, as kosim compare takes them.

    Trials are compared on the validation pairs. The test pairs are used once, at the end, to
    compare the base with the best.

    \b
    Examples:
      kosim tune cross pairs.csv --trials 24
      kosim tune bi my-comparison.toml --workers 2 --resume
    """
    _check_counts(options["trials"], workers, minutes)
    comparison = CompareSettings.parse(_limited(read_comparison(config), limit))
    encoder = comparison.encoders[first_of_kind(comparison, kind)]
    domains = read_space(space, encoder, listed=options["sampler"] in LISTING)
    settings = parse_settings(
        TuneSettings,
        {
            "kind": kind,
            "comparison": comparison.model_dump(),
            "space": {key: domain.model_dump() for key, domain in domains.items()},
            **options,
        },
    )
    name = name or f"{comparison.name}-{kind}"
    folder = _folder(f"tune-{name}", out, resume=resume)
    address = storage or str(folder / "study.db")
    keep_on_interrupt(
        f"Finished trials are kept in the study {name}.",
        folder,
        add=("--resume", "--out", str(folder)),
    )
    data = data_fingerprint(load_training(comparison.data))
    study = begin_study(open_storage(address), name, settings, data, resume=resume)
    with stage_progress() as progress:
        run_workers(
            study,
            address,
            workers,
            minutes=minutes,
            report=lambda done, total: progress(Line("trials", "시도"), done, total),
        )
    _report(study, folder, test=not no_test, as_json=as_json)


@tune_command.command("worker")
@_storage
@_study
@option("--number", type=int, default=0, help="Number of this worker among all.")
@_minutes
def worker_command(storage: str, name: str, number: int, minutes: float | None) -> None:
    """Run trials of a study, here or on another machine, until none is left.

    \b
    Example:
      kosim tune worker --storage study.db --study quickstart-bi
    """

    def said(trial: optuna.trial.FrozenTrial) -> None:
        value = decimal(trial.value, 4) if trial.value is not None else trial.state.name.lower()
        notes.print(f"  trial {trial.number}: {value}")

    count = work(open_storage(storage), name, worker=number, minutes=minutes, report=said)
    output.print(f"Ran {count} trials of {name}")


@tune_command.command("report")
@_storage
@_study
@out_option(required=True)
@option("--test", is_flag=True, help="Also compare base and best on the test pairs.")
@language_option
@json_option
def report_command(storage: str, name: str, out: Path, test: bool, as_json: bool) -> None:
    """Write the report of a study as it stands.

    \b
    Example:
      kosim tune report --storage study.db --study quickstart-bi --out runs/report
    """
    _report(load_study(open_storage(storage), name), out, test=test, as_json=as_json)


def _check_counts(trials: int | None, workers: int, minutes: float | None) -> None:
    if trials is not None and trials < 1:
        raise ConfigError(f"--trials is {trials}; ask for at least 1")
    if workers < 1:
        raise ConfigError(f"--workers is {workers}; give at least 1")
    if minutes is not None and minutes <= 0:
        raise ConfigError(f"--minutes is {minutes:g}; give more than 0")


def _folder(name: str, out: Path | None, *, resume: bool) -> Path:
    try:
        return choose_folder(name, out, resume=resume)
    except StorageError:
        return default_folder(name, again=True)  # a finished study may get more trials


def _limited(raw: dict[str, Any], limit: int | None) -> dict[str, Any]:
    return raw if limit is None else {**raw, "data": {**raw.get("data", {}), "limit": limit}}


def _report(study: optuna.Study, folder: Path, *, test: bool, as_json: bool) -> None:
    language = chosen_language()
    with training_progress(quiet=as_json) as callbacks:
        results = TUNING.run(
            folder,
            lambda: report_study(
                study,
                folder,
                test=test,
                callbacks=callbacks,
                progress=say_stages(quiet=as_json),
                language=language,
            ),
            resume=True,
            language=language,
        )
    if not as_json:
        notes.print(f"Config of the best: {folder / BEST_CONFIG}", soft_wrap=True)
    show(TUNING, results, folder, as_json=as_json)
