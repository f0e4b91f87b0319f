"""Write what the READMEs show: what the demo found, and what commands print.

    python -m benchmarks.readme
    python -m benchmarks.readme --run runs/demo

The outputs are those of the commands above them, with ``...`` for a time. What was found is of the
run in ``results/demo``, which ``--run`` first replaces by one of `make demo`; `python -m
benchmarks.pictures runs/demo` takes its picture.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import click

from kosim.encoders.language import Language, text
from kosim.experiments.comparison.report import COMPARISON

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "demo"
READMES: dict[Language, Path] = {"en": ROOT / "README.md", "ko": ROOT / "README.ko.md"}
KEPT = ("config.toml", "data.json", "results.json", "report.md")
ROWS = 3
FOUND = re.compile(r"^> .*\n\n(?:\|.*\n)+", re.MULTILINE)
"""A headline as a quotation, and the table below it."""
SHOWN = re.compile(r"^```bash\n((?:kosim .*\n)+)```\n\n```text\n([^`]*)^```$", re.MULTILINE)
"""Commands, and what the last of them prints."""


def found(language: Language) -> str:
    """Return what the committed comparison found: its headline, and its first metrics."""
    summary = COMPARISON.summary(COMPARISON.read(RESULTS))
    (table, *_) = summary.tables
    columns = [text(column, language) for column in table.columns]
    rows = [[text(cell, language) for cell in row] for row in table.rows[:ROWS]]
    lines = [columns, ["---"] * len(columns), *rows]
    headline = text(summary.finding.headline, language)
    return f"> {headline}\n\n" + "".join(f"| {' | '.join(line)} |\n" for line in lines)


def printed(commands: str) -> str:
    """Return what the last of the commands prints, run in a folder that has the examples."""
    output = ""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "examples").symlink_to(ROOT / "examples")
        for command in commands.splitlines():
            called = [sys.executable, "-m", *shlex.split(command)]
            environment = {**os.environ, "COLUMNS": "80", "LC_ALL": "C.UTF-8"}
            ended = subprocess.run(
                called, cwd=folder, env=environment, check=True, stdout=subprocess.PIPE, text=True
            )
            output = ended.stdout
    lines = [line.rstrip() for line in output.strip("\n").splitlines()]
    return re.sub(r"[\d.,]+ ms", "... ms", "\n".join(lines)) + "\n"


@click.command()
@click.option("--run", type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(run: Path | None) -> None:
    """Write both READMEs anew."""
    for name in KEPT if run else ():
        RESULTS.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(run / name, RESULTS / name)
    outputs = {
        commands: printed(commands)
        for commands, _ in SHOWN.findall(READMES["en"].read_text(encoding="utf-8"))
    }
    for language, path in READMES.items():
        whole = FOUND.sub(found(language), path.read_text(encoding="utf-8"), count=1)
        whole = SHOWN.sub(
            lambda block: block[0].replace(block[2], outputs[block[1]]),
            whole,
        )
        path.write_text(whole, encoding="utf-8")


if __name__ == "__main__":
    main()
