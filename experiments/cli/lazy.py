"""A group that imports a command when it is called: torch takes seconds to import."""

from __future__ import annotations

import importlib
import os
from typing import Any

import click

from kosim.encoders.errors import ConfigError, KosimError, RankError
from kosim.encoders.training import ranks

_QUIET = {
    "TRANSFORMERS_VERBOSITY": "error",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
"""What the libraries underneath read when they are imported, which a command does."""


_ON_RANKS = {"train", "compare"}
"""What several processes do together."""


class _Refusal(click.ClickException):
    """One line on standard error, and the exit code of a wrong call."""

    exit_code = 2


class LazyGroup(click.Group):
    """Commands by name; ``a-name`` is ``a_name_command`` of the module ``a_name`` beside this one.

    A command that raises an error of ours ends with that one line and exit code 2.
    """

    def __init__(self, *args: Any, commands_with_help: dict[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._help = commands_with_help

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
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self._help.items()))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        for name, value in _QUIET.items():
            os.environ.setdefault(name, value)
        try:
            return super().invoke(ctx)
        except RankError:
            ctx.exit(_Refusal.exit_code)
        except KosimError as error:
            if not ranks.is_main() and not ranks.has_joined():
                ctx.exit(_Refusal.exit_code)  # the main process says the same
            raise _Refusal(str(error)) from error

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that is called; of several processes only one that is for them."""
        if ranks.world_size() > 1 and args[0] not in _ON_RANKS:
            raise ConfigError(
                f"torchrun started {ranks.world_size()} processes, but `{args[0]}` is for one; "
                "call it without torchrun"
            )
        return super().resolve_command(ctx, args)
