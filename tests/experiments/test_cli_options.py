"""Options: one name each, older spellings that still work, and help for every one."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from kosim.encoders.errors import ConfigError
from kosim.experiments.cli import main
from kosim.experiments.cli.options import Option, option, setting, whole_numbers
from kosim.experiments.settings import EncoderSettings
from tests.checkout import ROOT

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


def commands() -> list[tuple[str, click.Command]]:
    """Return every command with its full name."""
    found: list[tuple[str, click.Command]] = []

    def walk(name: str, command: click.Command) -> None:
        found.append((name, command))
        if isinstance(command, click.Group):
            context = click.Context(command)
            for each in command.list_commands(context):
                inner = command.get_command(context, each)
                assert inner is not None
                walk(f"{name} {each}".strip(), inner)

    walk("", main)
    return found


def shown_options() -> dict[str, set[str]]:
    """Return the options of every command that its help shows, and the flags of their opposites."""
    return {
        name: {"--help"}.union(
            *(
                {*one.opts, *one.secondary_opts}
                for one in command.params
                if isinstance(one, click.Option) and not one.hidden
            )
        )
        for name, command in commands()
    }


NAMED = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]+")
OF_OTHERS = {"--head", "--port", "--address"}
"""Options of `ray start`, which messages about a cluster name."""
SAID_BY = {
    "serving": "serve",
    "experiments/speed/planning": "plan",
    "experiments/retrieval/depth": "depth",
    "experiments/speed/bench.py": "bench",
}
"""What only one command calls, so that it may use none of that command's older spellings."""


def test_messages_name_options_as_the_help_does() -> None:
    known = set().union(*shown_options().values(), OF_OTHERS)
    for room in ("encoders", "index", "experiments", "serving"):
        for path in sorted((ROOT / room).rglob("*.py")):
            where = path.relative_to(ROOT).as_posix()
            if where.startswith("experiments/cli/"):
                continue  # which declares the older spellings
            old = {
                spelling
                for place, command in SAID_BY.items()
                if where.startswith(place)
                for spelling in OLD_SPELLINGS[command]
            }
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    named = {*NAMED.findall(node.value)}
                    assert named <= known - old, (where, node.lineno)


def test_messages_are_plain_english() -> None:
    for room in ("encoders", "index", "experiments", "serving"):
        for path in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if isinstance(node, ast.Raise):
                    said = "".join(
                        inner.value
                        for inner in ast.walk(node)
                        if isinstance(inner, ast.Constant) and isinstance(inner.value, str)
                    )
                    assert not TRANSLATED.search(said), (path.name, node.lineno)


TRANSLATED = re.compile(
    r"(?<!there )\b(is|are) no (?!longer|more)|\banew\b|\bstands twice|\bmend\b|\bgo on with\b"
)
"""Kinds of phrases that were translated word for word: "is no file", "install it anew"."""

PAGES = [
    *ROOT.glob("*.md"),
    *ROOT.glob("docs/*.md"),
    *ROOT.glob("examples/**/*.[mpi][dyp]*"),
    *(ROOT / each for each in ("Dockerfile", "Makefile", "serving/page/index.html")),
]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_pages_call_commands_by_their_names_and_options(path: Path) -> None:
    options = shown_options()
    text = path.read_text("utf-8").partition("\n## 0.1")[0]  # what the changelog says of before
    for call in re.findall(r"(?<![\w/.-])kosim ((?:[^`\n\\]|\\\\)+)", text):
        words = call.split()
        name = next(
            (each for n in (2, 1) if (each := " ".join(words[:n])) in options),
            "tune run" if words[0] == "tune" else None,
        )
        if name is None:
            continue  # prose: "kosim trains ..."
        named = {*NAMED.findall(call)}
        assert named <= options["tune run" if name == "tune" else name], call


BANNED = (
    *("Planned with", "Encoded.", "Of the cluster at most", "Of all that is drawn", "one a CPU"),
    *("words are weighed", "on which nothing was chosen", "is their business", "has not,"),
    *("for as long as was waited", "so many of", "what yours reach"),
)
"""Phrases of the style guide's table."""


def test_every_option_is_explained_with_its_default() -> None:
    for name, command in commands():
        shown = CliRunner().invoke(main, [*name.split(), "--help"], terminal_width=400).output
        context = click.Context(command)
        for parameter in command.params:
            if not isinstance(parameter, click.Option) or parameter.hidden:
                continue
            words = (parameter.help or "").split()
            assert len(words) >= 3, (name, parameter.opts)
            assert words[0] not in ("Of", "In") and words[0][:1].isupper(), (name, parameter.help)
            default = parameter.get_default(context)
            if isinstance(default, str | int | float) and not isinstance(default, bool):
                # A long choice of values puts its explanation on the next line.
                options = shown.partition("Options:")[2]
                said = options.split(f"{parameter.opts[-1]} ", 1)[1].split("\n  -", 1)[0]
                assert f"default: {default}" in said, (name, said)


def test_every_command_has_an_example_and_plain_words() -> None:
    for name, command in commands():
        shown = CliRunner().invoke(main, [*name.split(), "--help"], terminal_width=120).output
        for phrase in BANNED:
            assert phrase not in shown, (name, phrase)
        if not isinstance(command, click.Group):
            assert "\b\n    Example" in (command.help or "") or "Example" in shown, name


def test_shells_complete_commands_and_bundled_names() -> None:
    from click.shell_completion import ShellComplete

    def offered(arguments: list[str], incomplete: str) -> list[str]:
        completing = ShellComplete(main, {}, "kosim", "_KOSIM_COMPLETE")
        return [item.value for item in completing.get_completions(arguments, incomplete)]

    assert offered([], "sea") == ["search"]
    assert offered(["score"], "mini")[:2] == ["mini-bi", "mini-cross"]
    assert "mini-cross" in offered(["search", "index", "--reranker"], "mini-c")
    assert "quickstart" in offered(["compare"], "qui")
    assert "scratch" in offered(["train", "bi", "--backbone"], "scr")
    assert "--top" not in offered(["mine", "x"], "--to")


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (["score", "mini-cros", "a", "b"], "did you mean mini-cross"),
        (["compare", "quickstar"], "did you mean quickstart"),
        (["tun", "bi"], "did you mean tune"),
        (["search", "index", "--candidate", "5"], "--candidates"),
    ],
)
def test_what_is_misspelt_is_answered_with_its_like(call: list[str], said: str) -> None:
    result = CliRunner().invoke(main, call)
    assert result.exit_code == 2
    assert said in result.output
