"""The group of all commands: it imports a command when it is called, and says how calls end."""

from __future__ import annotations

import importlib
import io
import os
import re
import shlex
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from kosim.encoders.errors import ConfigError, KosimError, RankError, did_you_mean, left_out
from kosim.encoders.training import ranks
from kosim.experiments.cli.notices import notices_on_terminal
from kosim.experiments.cli.terminal import serve_any_encoding, visible

_QUIET = {
    "TRANSFORMERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
"""What the libraries underneath read when they are imported, which a command does."""

_ON_RANKS = {"train", "compare"}
"""Commands for several processes that torchrun starts."""

_ARGUMENT = re.compile(r"\b([a-z_]+)='(\w+)'")
"""How a message of the library names an argument and its value."""

_MAIN_SPEAKS_SECONDS = 60
"""After which another process of torchrun's says an error itself."""

_WRONG_CALL, _INTERRUPTED = 2, 130
_ARGUMENTS, _KEPT = "kosim.arguments", "kosim.kept"


class _Refusal(click.ClickException):
    """One line on standard error, and the exit code of a wrong call."""

    exit_code = _WRONG_CALL


def keep_on_interrupt(
    kept: str, *paths: Path, add: Iterable[str] = (), drop: Iterable[str] = ()
) -> None:
    """Say what an interrupted command has kept, and how its call continues.

    Args:
        kept: a sentence.
        paths: files or folders of which one is there as soon as something is kept.
        add: arguments that the continuing call has besides those of this one.
        drop: options without a value that it has not.
    """
    root = click.get_current_context().find_root()
    root.meta[_KEPT] = (kept, paths, tuple(add), frozenset(drop))


def keep_run(folder: Path, *others: Path) -> None:
    """Say that an interrupted run continues in its folder with ``--resume``."""
    keep_on_interrupt(
        f"What was finished is kept in {folder}.",
        folder,
        *others,
        add=("--resume", "--out", str(folder)),
        drop=("--overwrite",),
    )


def keep_work(out: Path) -> None:
    """Say that an interrupted training by steps continues from its checkpoint beside ``out``."""
    keep_on_interrupt(
        f"The last whole checkpoint is kept beside {out}.", out.with_name(f".{out.name}.work")
    )


class KosimGroup(click.Group):
    """Commands by name; ``a-name`` is ``a_name_command`` of the module ``a_name`` beside this one.

    A command that raises an error of ours ends with that one line and exit code 2.
    """

    def __init__(self, *args: Any, sections: dict[str, dict[str, str]], **options: Any) -> None:
        super().__init__(*args, **options)
        self._sections = sections
        self._help = {name: text for names in sections.values() for name, text in names.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order in which they are used."""
        return list(self._help)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command, or None if there is none of that name."""
        if cmd_name not in self._help:
            return None
        name = cmd_name.replace("-", "_")
        module = importlib.import_module(f"kosim.experiments.cli.{name}")
        command: click.Command = getattr(module, f"{name}_command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by section without importing them."""
        width = max(map(len, self._help))
        for title, commands in self._sections.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), text) for name, text in commands.items()])

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command line; errors are printed as text, in any encoding of the terminal."""
        serve_any_encoding()
        try:
            ended = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
            if not standalone_mode:
                return ended
        except click.ClickException as error:
            if not standalone_mode:
                raise
            shown = io.StringIO()
            error.show(file=shown)
            click.echo(visible(shown.getvalue()), file=sys.stderr, nl=False)
            sys.exit(error.exit_code)
        except click.Abort:
            if not standalone_mode:
                raise
            click.echo("Aborted!", file=sys.stderr)
            sys.exit(_INTERRUPTED)
        sys.exit(ended if isinstance(ended, int) else 0)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep the arguments of the call, and refuse text that is not UTF-8."""
        ctx.meta[_ARGUMENTS] = list(args)
        for number, argument in enumerate(args, 1):
            _check_encoding(number, argument)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        for name, value in _QUIET.items():
            os.environ.setdefault(name, value)
        try:
            with notices_on_terminal(ctx):
                return super().invoke(ctx)
        except RankError:
            ctx.exit(_WRONG_CALL)
        except KosimError as error:
            if not ranks.is_main() and not ranks.has_joined():
                # The main process says the same, and torchrun ends this one; if this one ended
                # first, torchrun would end the main one, perhaps before it has spoken.
                time.sleep(_MAIN_SPEAKS_SECONDS)
            raise _Refusal(_with_options(str(error), ctx)) from error
        except ModuleNotFoundError as error:
            raise _Refusal(str(left_out(error, f"kosim {ctx.meta[_ARGUMENTS][0]}"))) from error
        except UnicodeEncodeError as error:
            # Paths with bytes of another encoding cannot stand in the files that we write.
            part = " ".join(
                visible(error.object[max(0, error.start - 20) : error.end + 20]).split()
            )
            raise _Refusal(
                f"a name has bytes that are not UTF-8 (...{part}...); rename the file or folder"
            ) from error
        except OSError as error:
            # A path that no check foresaw; who reads the output may end before we do.
            if isinstance(error, BrokenPipeError):
                raise
            name = "a file" if error.filename is None else visible(str(error.filename))
            reason = error.strerror or error
            raise _Refusal(f"cannot use {name[-300:]}: {reason}; check the path") from error
        except KeyboardInterrupt:
            _say_interrupted(ctx)
            ctx.exit(_INTERRUPTED)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is called; of several processes only one that is for them.

        Raises:
            click.UsageError: there is no such command; those with like names are said.
        """
        if ranks.world_size() > 1 and args[0] not in _ON_RANKS:
            raise ConfigError(
                f"torchrun started {ranks.world_size()} processes, but `{args[0]}` is for one; "
                "call it without torchrun"
            )
        if args[0] not in self._help and not args[0].startswith("-"):
            raise click.UsageError(
                f"there is no command {args[0]!r}{did_you_mean(args[0], self._help)}", ctx
            )
        return super().resolve_command(ctx, args)


def _with_options(message: str, ctx: click.Context) -> str:
    """Return a message with the command's options where it names arguments of Python's."""
    command = ctx.command
    for name in ctx.meta[_ARGUMENTS]:
        if not isinstance(command, click.Group):
            break
        command = command.get_command(ctx, name) or command
    known = {name for each in command.params for name in each.opts}

    def named(found: re.Match[str]) -> str:
        option = f"--{found[1].replace('_', '-')}"
        return f"{option} {found[2]}" if option in known else found[0]

    return _ARGUMENT.sub(named, message)


def _check_encoding(number: int, argument: str) -> None:
    try:
        argument.encode()
    except UnicodeEncodeError:
        if Path(argument).exists():
            return
        raise click.UsageError(
            f"argument {number}, {visible(argument)[:80]}, is not UTF-8; convert it, or set the "
            "terminal to UTF-8"
        ) from None


def _say_interrupted(ctx: click.Context) -> None:
    kept, paths, add, drop = ctx.find_root().meta.get(_KEPT, ("", (), (), frozenset()))
    if any(path.exists() for path in paths):
        said = f"{kept}\nContinue with: {_continuing(ctx, add, drop)}"
    else:
        said = "Nothing of it was kept."
    click.echo(visible(f"\nInterrupted. {said}"), file=sys.stderr)


def _continuing(ctx: click.Context, add: Sequence[str], drop: frozenset[str]) -> str:
    before = [each for each in ctx.find_root().meta[_ARGUMENTS] if each not in drop]
    added = list(add)
    for name in ("--resume", "--out"):  # said before, with the same value
        if name in added and any(each == name or each.startswith(f"{name}=") for each in before):
            position = added.index(name)
            del added[position : position + (1 if name == "--resume" else 2)]
    return shlex.join(["kosim", *before, *added])
