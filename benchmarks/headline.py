"""All headline figures beside the peers, on this machine, in one page.

    python -m benchmarks.headline CORPUS --pairs PAIRS --environments DIR --out FOLDER

Each part is one of the other scripts, which writes its figures into the folder. A part that is
there is not measured again, so that a killed run goes on; one that fails is named, and the others
follow. CORPUS has sentences, PAIRS labelled pairs, DIR the environments of the peers. It takes
hours, and nothing else should be running meanwhile; ``--rehearse`` first tells in minutes, and in
another FOLDER, whether every part can run.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import click

from benchmarks.house import git
from benchmarks.peers.environments import last_line
from kosim.encoders.storage import write_text
from kosim.experiments.study.environment import describe_environment, processor_of

PEER_TASKS = ("encode", "score", "rerank")
QUEUE = "48"
"""Requests that a server handles or queues: what waits behind them bounds p99 under overload."""
LAYOUTS = "flat int8,hnsw int8,ivfpq int8,rabitq fp16,rabitq int8"
_REHEARSAL = {
    "startup.measure": ("--times", "1", "--sentences", "100"),
    "peers.run": (
        *("--rounds", "1", "--sentences", "40", "--pairs", "20", "--queries", "2"),
        *("--candidates", "10", "--singles", "4"),
    ),
    "vector_types": ("--rounds", "1", "--sentences", "2000", "--layouts", "flat int8,rabitq int8"),
    "serving": ("--clients", "1,4", "--turns", "1", "--seconds", "1", "--warm-up", "0.5"),
    "training_epoch": ("--rounds", "1", "--batches", "4"),
}
"""Options that make a script measure as little as it can."""


def parts(
    corpus: str, pairs: str, backbone: str, environments: Path, out: Path, sentences: int
) -> dict[str, list[str]]:
    """Return each part: its name, which is that of its page, and the script with its options."""
    beside = ["--encoder", "mini-bi", "--reranker", "mini-cross", "--environments"]
    made: dict[str, list[str]] = {"startup": ["startup.measure", "--out", str(out / "startup")]}
    for task in PEER_TASKS:
        target = str(out / f"peers-{task}")
        made[f"peers-{task}"] = ["peers.run", corpus, *beside, str(environments)]
        made[f"peers-{task}"] += ["--task", task, "--rounds", "3", "--out", target]
    work = out / "vector_types.work"
    made["vector_types"] = ["vector_types", "--vectors", str(work / "vectors.npy")]
    made["vector_types"] += ["--corpus", corpus, "--encoder", "mini-bi", "--work", str(work)]
    made["vector_types"] += ["--sentences", str(sentences), "--environments", str(environments)]
    made["vector_types"] += ["--layouts", LAYOUTS, "--out", str(out)]
    for name, precision in (("serving", "fp32"), ("serving-int8", "int8")):
        made[name] = ["serving", "--reranker", "mini-cross", "--precision", precision]
        made[name] += ["--queue", QUEUE, "--out", str(out / name)]
    made["training_epoch"] = ["training_epoch", "--backbone", backbone, "--train", pairs]
    made["training_epoch"] += ["--rounds", "2", "--batches", "8", "--out", str(out)]
    return made


def measure(name: str, command: list[str], out: Path) -> str | None:
    """Run a part unless its page is there; return why it failed, if it did."""
    if (out / f"{name}.md").is_file():
        return None
    click.echo(f"{name}: python -m benchmarks.{' '.join(command)}", err=True)
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{command[0]}", *command[1:]],
        stdout=sys.stderr,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        return last_line(done.stderr)
    return None if (out / f"{name}.md").is_file() else "wrote no page"


def page(names: list[str], failed: dict[str, str], out: Path) -> str:
    """Return the page: the machine, the revision, and every part's own page below it."""
    environment = describe_environment()
    lines = [
        "# Headline figures",
        "",
        f"{processor_of(environment)}, {environment['cores']} cores; kosim "
        f"{environment['kosim']} at {git('rev-parse', '--short', 'HEAD').strip()}, torch "
        f"{environment['torch']}. `python -m benchmarks.headline` makes this page.",
    ]
    for name in names:
        if name in failed:
            lines += ["", f"## {name}", "", f"Not measured: {failed[name]}"]
        else:
            text = (out / f"{name}.md").read_text(encoding="utf-8").strip()
            lines += ["", re.sub(r"^#", "##", text, flags=re.MULTILINE)]
    return "\n".join(lines) + "\n"


@click.command()
@click.argument("corpus")
@click.option("--pairs", required=True, help="Labelled pairs to train on.")
@click.option("--backbone", default="mini", show_default=True, help="What is trained on them.")
@click.option("--environments", type=click.Path(path_type=Path), required=True)
@click.option("--sentences", default=100_000, show_default=True, help="Vectors that are searched.")
@click.option("--part", "wanted", multiple=True, help="Only these; all by default.")
@click.option("--rehearse", is_flag=True, help="Measure almost nothing: does every part run?")
@click.option("--out", type=click.Path(path_type=Path), required=True)
def main(
    corpus: str,
    pairs: str,
    backbone: str,
    environments: Path,
    sentences: int,
    wanted: tuple[str, ...],
    rehearse: bool,
    out: Path,
) -> None:
    """Measure what is missing and write FOLDER/headline.md."""
    out = out.resolve()
    (out / "vector_types.work").mkdir(parents=True, exist_ok=True)
    known = parts(corpus, pairs, backbone, environments.resolve(), out, sentences)
    if unknown := set(wanted) - set(known):
        raise click.ClickException(f"no part {min(unknown)!r}; choose from {', '.join(known)}")
    chosen = {name: known[name] for name in known if not wanted or name in wanted}
    failed: dict[str, str] = {}
    done: list[str] = []
    for name, command in chosen.items():
        if rehearse:
            command += _REHEARSAL[command[0]]
        if reason := measure(name, command, out):
            failed[name] = reason
        done.append(name)
        write_text(out / "headline.md", page(done, failed, out))
    click.echo(out / "headline.md")
    if failed:
        raise click.ClickException(f"not measured: {', '.join(failed)}")


if __name__ == "__main__":
    main()
