"""Options that several commands take: one name, one help text and one default for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import click
from click.shell_completion import CompletionItem
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from kosim.encoders.bundle import BUNDLED_NAMES
from kosim.encoders.errors import ConfigError
from kosim.encoders.language import LANGUAGES
from kosim.encoders.pretraining.budget import Budget
from kosim.encoders.storage import named
from kosim.encoders.training.config import TrainingConfig
from kosim.encoders.training.defaults import defaults
from kosim.experiments.cli.console import LANGUAGE
from kosim.experiments.settings import RECIPE_NAMES, SCRATCH, DataSettings, EncoderSettings

Command = TypeVar("Command", bound=Callable[..., Any])


class Option(click.Option):
    """An option with older spellings, which work and are not shown, and a default in its help.

    Args:
        aliases: older spellings.
        shown_default: the default in words, where the command works it out later.
    """

    def __init__(
        self, *args: Any, aliases: Sequence[str] = (), shown_default: str = "", **options: Any
    ) -> None:
        super().__init__(*args, **{"show_default": True, **options})
        self.aliases = tuple(aliases)
        self.shown_default = shown_default

    def add_to_parser(self, parser: Any, ctx: click.Context) -> None:
        """Let the parser know the older spellings too."""
        current = self.opts
        self.opts = [*current, *self.aliases]
        try:
            super().add_to_parser(parser, ctx)
        finally:
            self.opts = current

    def get_help_extra(self, ctx: click.Context) -> Any:
        """Add the default in words."""
        extra = super().get_help_extra(ctx)
        if self.shown_default:
            extra["default"] = self.shown_default
        return extra


def option(*names: str, **described: Any) -> Callable[[Command], Command]:
    """Return the decorator of an `Option`."""
    return click.option(*names, cls=Option, **described)


def setting(model: type[BaseModel], field: str, *names: str, **described: Any) -> Any:
    """Return an option for a field of some settings: its name, type, description and default.

    The command gets None where it is not given, so that a recipe can say the value.
    """
    info = model.model_fields[field]
    names = names or (f"--{field.replace('_', '-')}",)
    described.setdefault("help", info.description)
    if info.default not in (None, "", PydanticUndefined) and info.default is not False:
        described.setdefault("shown_default", _as_text(info.default))
    if not {"type", "is_flag", "multiple"} & described.keys() and "/" not in names[0]:
        described |= _value(info.annotation)
    return option(*names, field, default=None, **described)


def _value(annotation: Any) -> dict[str, Any]:
    """Return how click reads a value of a field's type."""
    union = get_origin(annotation) in (Union, UnionType)
    types = [each for each in (get_args(annotation) if union else [annotation]) if each != NoneType]
    if all(get_origin(each) is Literal for each in types):
        return {"type": click.Choice([name for each in types for name in get_args(each)])}
    if types == [bool]:
        return {"is_flag": True}
    return {"type": types[0]} if types in ([int], [float]) else {}


def settings_options(
    model: type[BaseModel], *fields: str | tuple[str, str]
) -> Callable[[Command], Command]:
    """Return the decorator of an option for each field; one of another name stands beside it."""
    options = [
        setting(model, each) if isinstance(each, str) else setting(model, *each) for each in fields
    ]
    return lambda command: add_options(options, command)


def _as_text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def given(values: dict[str, Any], model: type[BaseModel]) -> dict[str, Any]:
    """Return those command-line values that are fields of ``model`` and were given."""
    return {
        name: value
        for name, value in values.items()
        if name in model.model_fields and value is not None
    }


def complete_names(names: Iterable[str], incomplete: str, *, kind: str) -> list[CompletionItem]:
    """Return what a shell offers for a name or a path, of the kind "file" or "dir"."""
    fitting = [CompletionItem(name) for name in names if name.startswith(incomplete)]
    return [*fitting, CompletionItem(incomplete, type=kind)]


class NameOrPath(click.ParamType):
    """One of some names, or a path; completed as such and otherwise free text."""

    name = "text"

    def __init__(self, *names: str, kind: str = "file") -> None:
        self.names = names
        self.kind = kind

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Offer the names, and paths."""
        return complete_names(self.names, incomplete, kind=self.kind)


RECIPE = NameOrPath(*RECIPE_NAMES)
BACKBONE = NameOrPath(*BUNDLED_NAMES, SCRATCH, kind="dir")


def add_options(options: Iterable[Any], command: Any) -> Any:
    """Decorate a command with options, which its help lists in this order."""
    for decorate in reversed(list(options)):
        command = decorate(command)
    return command


json_option = option("--json", "as_json", is_flag=True, help="Print JSON to standard output.")


def _keep_language(context: click.Context, _: click.Parameter, value: str | None) -> None:
    context.meta[LANGUAGE] = value


language_option = option(
    "--lang",
    type=click.Choice(LANGUAGES),
    expose_value=False,
    callback=_keep_language,
    help="Language of the terminal and of the report as it opens.",
    shown_default="from the locale",
)

resume_option = option("--resume", is_flag=True, help="Continue an interrupted run.")

top_k_option = option(
    "-k", "--top-k", "k", type=int, default=10, help="Number of hits for each query."
)

min_score_option = option(
    "--min-score",
    type=click.FloatRange(0, 5),
    metavar="SCORE",
    help="Leave out hits that score below this (0-5).",
)

symmetric_option = option(
    "--symmetric",
    is_flag=True,
    help="Average the scores of both orders of a pair; a cross-encoder takes twice the time.",
)


def file_option(*names: str, **described: Any) -> Callable[[Command], Command]:
    """Return an option that names a file."""
    return option(*names, type=click.Path(), metavar="FILE", **described)


def backbone_option(*names: str, **described: Any) -> Callable[[Command], Command]:
    """Return an option that names a backbone."""
    return option(*names, type=BACKBONE, metavar="MODEL", **described)


def sample_option(of: str, name: str, default: int, help: str) -> Callable[[Command], Command]:
    """Return the option ``--sample-OF``: how much is measured; ``--NAME`` is its older spelling."""
    return option(
        f"--sample-{of}", name, type=int, default=default, aliases=(f"--{name}",), help=help
    )


measured_corpus_option = file_option(
    "--corpus",
    help="Sentences to measure with, preferably like those of your corpus.",
    shown_default="the bundled sample",
)


def out_option(
    *,
    default: str | None = None,
    required: bool = False,
    help: str = "Folder to write.",
    metavar: str = "FOLDER",
) -> Callable[[Command], Command]:
    """Return the option ``--out``; ``default`` is a path in words."""
    return option(
        "--out",
        type=click.Path(path_type=Path),
        callback=lambda _context, _option, out: None if out is None else named(out),
        metavar=metavar,
        required=required,
        help=help,
        shown_default=default or "",
    )


def overwrite_option(replaced: str) -> Callable[[Command], Command]:
    """Return the option ``--overwrite``; ``replaced`` says what it replaces."""
    return option("--overwrite", is_flag=True, help=f"Replace {replaced}.")


def run_options(default: str, *, resumed: bool = False) -> Callable[[Command], Command]:
    """Return the decorator of the options of an experiment: its folder and how it is shown.

    Args:
        default: its folder, in words.
        resumed: whether it trains, and can go on after an interruption.
    """
    what = "run" if resumed else "report"
    options = [
        out_option(default=default, help=f"Folder of the {what}."),
        *([resume_option] if resumed else []),
        overwrite_option(f"an earlier {what}"),
        language_option,
        json_option,
    ]
    return lambda command: add_options(options, command)


resamples_option = option("--resamples", type=int, hidden=True, help="Resamples of the bootstrap.")


def seed_option(drawn: str, *, default: int = 0) -> Callable[[Command], Command]:
    """Return the option ``--seed``; ``drawn`` says what is drawn with it."""
    return option("--seed", type=int, default=default, help=f"Seed for {drawn}.")


def whole_numbers(name: str, given_text: str) -> tuple[int, ...]:
    """Return the comma-separated whole numbers of the option ``name``.

    Raises:
        ConfigError: something else was given.
    """
    try:
        return tuple(int(number) for number in given_text.split(","))
    except ValueError:
        raise ConfigError(
            f"{name} is {given_text!r}; give whole numbers separated by commas, such as 10,50,100"
        ) from None


_COLUMNS = "SENTENCE1,SENTENCE2,LABEL[,SOURCE]"
_SCALE = "LOW:HIGH|binary|WORD=LABEL,..."
columns_option = setting(DataSettings, "columns", metavar=_COLUMNS)
encoding_option = setting(DataSettings, "encoding", metavar="NAME")
_PAIR_FILE = [
    columns_option,
    encoding_option,
    setting(DataSettings, "label_scale", metavar=_SCALE),
]
_TEST_FILE = [
    setting(DataSettings, "test_columns", metavar=_COLUMNS),
    setting(DataSettings, "test_label_scale", metavar=_SCALE),
]


corrections_option = setting(
    DataSettings, "corrections", "--corrections", type=click.Path(), metavar="FILE"
)


def pair_file_options(command: Command) -> Command:
    """Add the options that say how one file of labelled pairs is read."""
    decorated: Command = add_options(_PAIR_FILE, command)
    return decorated


def pair_files_options(command: Command) -> Command:
    """Add the options that say how a training and a test file of labelled pairs are read."""
    decorated: Command = add_options([*_PAIR_FILE, *_TEST_FILE], command)
    return decorated


def data_options(command: Command) -> Command:
    """Add the options that say which pairs are used."""
    options = [
        setting(DataSettings, "dataset", type=click.Choice(["klue-sts", "sample"])),
        setting(DataSettings, "train", type=click.Path(), metavar="FILE"),
        setting(DataSettings, "test", type=click.Path(), metavar="FILE"),
        *_PAIR_FILE,
        *_TEST_FILE,
        settings_options(DataSettings, "limit", "split_seed", "remove_sentence_leakage"),
        corrections_option,
        setting(DataSettings, "exclude", type=click.Path(), metavar="FILE"),
    ]
    decorated: Command = add_options(options, command)
    return decorated


def training_options_with(precision: str = "--precision") -> Callable[[Command], Command]:
    """Return the decorator of the options that say how an encoder is trained.

    The defaults in their help are those of the kind and the backbone, where a recipe says nothing.

    Args:
        precision: the option of the training's arithmetic, where another has that name.
    """
    bi, cross = defaults("bi", None), defaults("cross", None)
    shown = {name: str(bi[name]) for name in ("epochs", "warmup", "patience", "precision")}
    shown["learning_rate"] = "by the kind and the size of the backbone"
    shown["batch_size"] = (
        f"{bi['batch_size']} for a bi-encoder, {cross['batch_size']} for a cross-encoder"
    )
    names = {"precision": (precision,)}
    fields = ("epochs", "learning_rate", "warmup", "weight_decay", "batch_size")
    more = ("gradient_accumulation", "select", "patience", "precision", "report_to")
    options = [
        *(
            setting(
                TrainingConfig,
                name,
                *names.get(name, ()),
                **({"shown_default": shown[name]} if name in shown else {}),
            )
            for name in (*fields, *more)
        ),
        setting(EncoderSettings, "max_length"),
    ]
    return lambda command: add_options(options, command)


training_options = training_options_with()

budget_options = settings_options(Budget, "steps", "epochs", "minutes")
"""The options that say how long a pretraining is."""
