"""What an installation consists of: distributions, the size of their files, and their modules.

python -m benchmarks.startup.installation --out benchmarks/results/installation
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Iterable
from pathlib import Path

import click
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from kosim.encoders.storage import write_json, write_text

SERVER = Path(__file__).parents[2] / "requirements-server.txt"
FULL = ("kosim[onnx,serve]",)


def server_requirements() -> list[str]:
    """Return the lines of `SERVER` that name a distribution."""
    lines = SERVER.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def distributions(requirements: Iterable[str]) -> set[str]:
    """Return the names of all distributions that requirements need, of those installed here."""
    found: set[tuple[str, str]] = set()
    waiting = [Requirement(one) for one in requirements]
    while waiting:
        requirement = waiting.pop()
        name = canonicalize_name(requirement.name)
        for extra in ("", *requirement.extras):
            if (name, extra) in found:
                continue
            found.add((name, extra))
            try:
                needed = importlib.metadata.requires(name) or []
            except importlib.metadata.PackageNotFoundError:
                found.discard((name, extra))
                continue
            inner = [Requirement(one) for one in needed]
            waiting += [
                one for one in inner if one.marker is None or one.marker.evaluate({"extra": extra})
            ]
    return {name for name, _ in found}


def size(names: Iterable[str]) -> int:
    """Return the bytes of the files of installed distributions."""
    files = (file for name in names for file in importlib.metadata.files(name) or [])
    paths = {Path(str(file.locate())) for file in files if file.suffix != ".pyc"}
    return sum(path.stat().st_size for path in paths if path.is_file())


def imported_names(names: set[str]) -> set[str]:
    """Return the top-level modules that only distributions of these names bring."""
    owners = importlib.metadata.packages_distributions()
    return {
        module
        for module, having in owners.items()
        if {canonicalize_name(one) for one in having} <= names
    }


@click.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="Without a suffix.")
def main(out: Path) -> None:
    """Write the megabytes of the full installation and of that for servers, as installed here."""
    wanted = {"full": FULL, "server": server_requirements()}
    names = {title: distributions(needed) - {"kosim"} for title, needed in wanted.items()}
    sizes = {
        title: {name: size([name]) / 1e6 for name in sorted(some)} for title, some in names.items()
    }
    total = {title: sum(some.values()) for title, some in sizes.items()}
    largest = sorted(sizes["full"], key=sizes["full"].__getitem__, reverse=True)[:10]
    full, server = sizes["full"], sizes["server"]
    rows = [f"| {name} | {full[name]:.0f} | {_shown(server, name)} |" for name in largest]
    share = total["server"] / total["full"]
    text = (
        "# The size of an installation\n\n"
        f"What `{FULL[0]}` needs beside `{SERVER.name}`, in MB of files without compiled Python; "
        f"torch of CPU, version {importlib.metadata.version('torch')}.\n\n"
        "| | full | server |\n|---|---|---|\n"
        f"| all | {total['full']:.0f} | {total['server']:.0f} ({share:.0%}) |\n"
        + "\n".join(rows)
        + "\n"
    )
    write_json(out.with_suffix(".json"), {"megabytes": total, "distributions": sizes})
    write_text(out.with_suffix(".md"), text)
    click.echo(text)


def _shown(sizes: dict[str, float], name: str) -> str:
    return f"{sizes[name]:.0f}" if name in sizes else "-"


if __name__ == "__main__":
    main()
