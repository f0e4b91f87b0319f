"""Options: one name each, older spellings that still work, and help for every one."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from kosim.encoders.errors import ConfigError
from kosim.experiments.cli import main
from kosim.experiments.cli.options import Option, option, setting, whole_numbers
from kosim.experiments.settings import EncoderSettings

OLD_SPELLINGS = {
    "serve": {"--bi": "--encoder", "--cross": "--reranker"},
    "bench": {
        "--encoders": "--encoder",
        "--sentences": "--sample-sentences",
        "--pairs": "--sample-pairs",
        "--queries": "--sample-queries",
        "--singles": "--latency-queries",
    },
    "plan": {
        "--rerank-depth": "--candidates",
        "--sample": "--sample-sentences",
        "--vectors": "--sample-vectors",
        "--pairs": "--sample-pairs",
    },
    "rerank": {"--encoder": "--reranker"},
    "mine": {"--top": "--top-k"},
    "depth": {"--depths": "--candidates", "--fit-depth": "--fit-candidates"},
    "evaluate-retrieval": {"--depths": "--candidates", "--held-out": "--held-out-groups"},
    "distill": {"--pairs": "--pairs-per-sentence"},
}


@pytest.mark.parametrize("command", OLD_SPELLINGS)
def test_an_old_spelling_works_and_is_not_shown(command: str) -> None:
    found = main.get_command(click.Context(main), command)
    assert found is not None
    options = {name: o for o in found.params if isinstance(o, Option) for name in o.opts}
    shown = CliRunner().invoke(main, [command, "--help"]).output
    for old, new in OLD_SPELLINGS[command].items():
        assert old in options[new].aliases
        assert f"{new} " in shown
        assert f"{old} " not in shown


def test_an_older_spelling_sets_the_same_value() -> None:
    @click.command()
    @option("--candidates", type=int, default=100, aliases=("--depth",), help="How many.")
    def command(candidates: int) -> None:
        click.echo(candidates)

    for given, value in (([], "100"), (["--depth", "7"], "7"), (["--candidates", "8"], "8")):
        assert CliRunner().invoke(command, given).output.strip() == value
    refused = CliRunner().invoke(command, ["--depth", "many"]).output
    assert "--candidates" in refused and "--depth" not in refused


def test_the_default_of_a_setting_is_shown_and_not_given() -> None:
    @click.command()
    @setting(EncoderSettings, "max_length", "--max-length", type=int)
    def command(max_length: int | None) -> None:
        click.echo(max_length)

    assert "[default: 128]" in CliRunner().invoke(command, ["--help"]).output
    assert CliRunner().invoke(command, []).output.strip() == ""


def test_whole_numbers_are_read_or_refused() -> None:
    assert whole_numbers("--candidates", "10,50") == (10, 50)
    with pytest.raises(ConfigError, match="--candidates is 'ten'"):
        whole_numbers("--candidates", "ten")
