"""Print how large the house is: lines by room, small files, median and longest file.

Of the working tree, or of any revision, so that before and after can be told apart::

    python -m benchmarks.house
    python -m benchmarks.house be1618b
"""

from __future__ import annotations

import argparse
import subprocess
from pathlib import Path
from statistics import median

ROOMS = ("kosim", "encoders", "index", "experiments", "serving", "benchmarks", "tests")
SMALL = 50
"""Lines below which a file counts as small; an ``__init__.py`` never does."""


def git(*arguments: str) -> str:
    """Return what a git command prints."""
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout


def python_files(revision: str | None) -> dict[str, str]:
    """Return the text of every Python file of a revision, or of the tracked files as they are."""
    if revision is None:
        names = git("ls-files", "-z", "*.py").split("\0")
        return {name: Path(name).read_text("utf-8") for name in names if Path(name).is_file()}
    names = git("ls-tree", "-r", "-z", "--name-only", revision).split("\0")
    names = [name for name in names if name.endswith(".py")]
    asked = "".join(f"{revision}:{name}\n" for name in names).encode()
    batch = subprocess.run(
        ["git", "cat-file", "--batch"], input=asked, check=True, capture_output=True
    ).stdout
    texts = {}
    for name in names:
        header, _, rest = batch.partition(b"\n")
        size = int(header.split()[2])
        texts[name], batch = rest[:size].decode(), rest[size + 1 :]
    return texts


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("revision", nargs="?", help="a commit; the working tree without one")
    texts = python_files(parser.parse_args().revision)
    lines = {name: text.count("\n") for name, text in texts.items()}
    # At be1618b the public face was one file.
    rooms = {room: [name for name in lines if name.split("/")[0] == room] for room in ROOMS}
    rooms["kosim"] += [name for name in lines if name == "kosim.py"]
    source = [name for room in ROOMS[:5] for name in rooms[room]]
    print(f"{'':12} {'files':>6} {'lines':>7} {'< 50':>5} {'median':>7}  longest")
    for room, names in [*rooms.items(), ("installed", source)]:
        counted = {name: lines[name] for name in names if not name.endswith("__init__.py")}
        if not counted:
            continue
        longest = max(counted, key=lambda name: counted[name])
        small = sum(count < SMALL for count in counted.values())
        print(
            f"{room:12} {len(names):6,} {sum(lines[name] for name in names):7,} {small:5} "
            f"{median(counted.values()):7g}  {counted[longest]} {longest}"
        )


if __name__ == "__main__":
    main()
