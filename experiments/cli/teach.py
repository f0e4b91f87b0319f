"""``kosim teach``: encoders that learn from what other encoders say of a corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kosim.encoders.errors import ConfigError
from kosim.encoders.training.config import TrainingConfig
from kosim.experiments.cli.console import chosen_language
from kosim.experiments.cli.encoder_options import backend_option, device_option
from kosim.experiments.cli.group import keep_run
from kosim.experiments.cli.options import (
    BACKBONE,
    given,
    option,
    pair_files_options,
    resamples_option,
    run_options,
    setting,
    settings_options,
    symmetric_option,
    training_options_with,
    whole_numbers,
)
from kosim.experiments.cli.progress import training_progress
from kosim.experiments.cli.summary import say_parts, show
from kosim.experiments.settings import DataSettings, EncoderSettings
from kosim.experiments.study.progress import silent
from kosim.experiments.study.run_folder import choose_folder
from kosim.experiments.teaching.settings import TeachSettings, parse_mix, students_of

_ROUNDS = 3
_FILE: dict[str, Any] = {"type": click.Path(), "metavar": "FILE"}


@click.command("teach")
@click.argument("kind", type=click.Choice(["bi", "cross", "both"]))
@option(
    "--teacher",
    metavar="MODEL[,MODEL...]",
    help="Saved encoders that label the pairs; several give their mean.",
)
@setting(TeachSettings, "corpus", **_FILE)
@setting(DataSettings, "dataset", type=click.Choice(["klue-sts", "sample"]))
@setting(DataSettings, "train", help="File of gold pairs, labelled by people.", **_FILE)
@setting(DataSettings, "test", **_FILE)
@pair_files_options
@settings_options(DataSettings, "limit", "split_seed")
@setting(TeachSettings, "exclude", multiple=True, **_FILE)
@settings_options(TeachSettings, "pairs")
@setting(TeachSettings, "candidates", shown_default="twice --pairs")
@setting(
    TeachSettings,
    "mix",
    type=str,
    metavar="LOW:WEIGHT,...",
    shown_default="0:1,1:1,2:1,3:1,4:1",
)
@option(
    "--sources",
    metavar="NAME,...",
    help="How pairs are found.",
    shown_default="vectors,bm25,random,hard",
)
@settings_options(TeachSettings, "hard_margin")
@setting(TeachSettings, "sentences", shown_default="5 times --pairs")
@setting(TeachSettings, "miner", metavar="MODEL")
@settings_options(TeachSettings, "max_disagreement")
@setting(TeachSettings, "silver", **_FILE)
@setting(TeachSettings, "extra", multiple=True, **_FILE)
@settings_options(TeachSettings, "minimal_pairs", "order", "silver_epochs")
@symmetric_option
@backend_option
@setting(TeachSettings, "teacher_precision", "--precision")
@setting(EncoderSettings, "backbone", type=BACKBONE, metavar="MODEL")
@settings_options(EncoderSettings, "revision", "pooling", "prompt")
@training_options_with(precision="--training-precision")
@setting(TeachSettings, "baseline")
@setting(TeachSettings, "rounds", shown_default="3 for both")
@option("--seeds", default="1", help="Seeds of the trainings, one student for each.")
@setting(TeachSettings, "sample_seed")
@device_option
@resamples_option
@run_options("runs/teach-KIND", resumed=True)
def teach_command(
    kind: str,
    teacher: str | None,
    sources: str | None,
    mix: str | None,
    seeds: str,
    device: str | None,
    out: Path | None,
    resume: bool,
    overwrite: bool,
    resamples: int | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Train an encoder, or both kinds in turns, on pairs of a corpus that other encoders label.

    Pairs of CORPUS sentences are found by vectors, by words and at random, labelled by the
    teachers, and drawn so that the labels cover 0 to 5. The student learns these silver pairs and
    then the gold pairs of --train. With `both` each kind then labels for the other, round by
    round, until neither gains. Every part that is finished is kept for --resume.

    \b
    Examples:
      kosim teach bi --teacher my-cross --corpus corpus.txt --backbone mini --out runs/bi
      kosim teach cross --teacher my-bi,my-cross --corpus corpus.txt.gz --train gold.csv
      kosim teach both --teacher my-bi --corpus corpus.txt --train gold.csv --rounds 3
    """
    from kosim.experiments.teaching.run import teach_students

    folder_name = f"teach-{kind}"
    training = given(options, TrainingConfig)
    student = given(options, EncoderSettings)
    data = given(options, DataSettings)
    data.pop("exclude", None)
    sampling = {
        name: value
        for name, value in given(options, TeachSettings).items()
        if name not in ("exclude", "extra")
    }
    settings = TeachSettings.parse(
        {
            "name": (out or Path(folder_name)).name,
            "teachers": teacher.split(",") if teacher else [],
            "seeds": whole_numbers("--seeds", seeds),
            "device": device,
            **sampling,
            **({"mix": parse_mix(mix)} if mix is not None else {}),
            **({"sources": sources.split(",")} if sources is not None else {}),
            "exclude": list(options["exclude"] or ()),
            "extra": list(options["extra"] or ()),
            "data": data if data.keys() & {"dataset", "train", "test"} else None,
            "students": students_of(kind, {**student, "training": training}),
            "rounds": _rounds(kind, options["rounds"]),
            "evaluation": {"resamples": resamples} if resamples else {},
        }
    )
    folder = choose_folder(folder_name, out, resume=resume, overwrite=overwrite)
    keep_run(folder)
    from kosim.experiments.teaching.report import TEACHING

    with training_progress(quiet=as_json) as callbacks:
        results = teach_students(
            settings,
            folder,
            resume=resume,
            overwrite=overwrite,
            callbacks=callbacks,
            progress=silent if as_json else say_parts(),
            language=chosen_language(),
        )
    show(TEACHING, results, folder, as_json=as_json)


def _rounds(kind: str, given_rounds: int | None) -> int:
    """Return the number of rounds, which only two kinds can take.

    Raises:
        ConfigError: one kind is to take several.
    """
    if kind != "both":
        if given_rounds is not None:
            raise ConfigError(
                f"--rounds belongs to `kosim teach both`, not to {kind}; leave it out"
            )
        return 1
    return _ROUNDS if given_rounds is None else given_rounds
