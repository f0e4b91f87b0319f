"""Every command with every odd path: one clear line and an exit code, whatever the path is.

A process that has imported everything forks a child for each call. The child gives up root's
right to read and write what its permissions forbid.
"""

from __future__ import annotations

import ctypes
import gc
import importlib
import os
import pkgutil
import re
import select
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from kosim.encoders.bundle import saved_encoder

SECONDS = 240
"""In which a call ends."""

_CAPABILITIES_VERSION = 0x20080522
_NOTHING = (ctypes.c_uint32 * 6)()

PAIRS = "sentence1\tsentence2\tlabel\n" + "".join(
    f"거실 불을 꺼 줘 {n}\t거실 조명을 꺼 줄래 {n}\t{n % 6}\n" for n in range(150)
)
CORPUS = "".join(f"창문을 닫아 줘 {n}\n" for n in range(30))


@dataclass(frozen=True)
class Ended:
    """How a call ended: ``code`` is None where it had to be killed."""

    code: int | None
    output: str

    @property
    def lines(self) -> list[str]:
        """What it said, without empty lines."""
        return [line for line in self.output.splitlines() if line.strip()]


def give_up_privileges() -> None:
    """Let permissions hold for this process, also for root."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITIES_VERSION, 0)
    if ctypes.CDLL(None, use_errno=True).capset(header, _NOTHING) != 0:
        raise OSError(ctypes.get_errno(), "capset")


def call(arguments: Sequence[str], *, seconds: float = SECONDS) -> Ended:
    """Call the command line in a child, without privileges and with nothing to read."""
    here, there = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(here)
        _run(arguments, there)
    os.close(there)
    said, deadline, code = b"", time.monotonic() + seconds, None
    while select.select([here], [], [], max(0.0, deadline - time.monotonic()))[0]:
        block = os.read(here, 1 << 16)
        if not block:
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            break
        said += block
    else:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    os.close(here)
    return Ended(code, said.decode("utf-8", "backslashreplace"))


def _run(arguments: Sequence[str], out: int) -> None:
    from kosim.experiments.cli import main

    code = 70
    try:
        nothing = os.open(os.devnull, os.O_RDONLY)
        for target, source in ((0, nothing), (1, out), (2, out)):
            os.dup2(source, target)
        sys.stdin = os.fdopen(0, closefd=False)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)
        give_up_privileges()
        main(list(arguments), "kosim")
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def import_everything() -> None:
    """Import all commands, and what they import late, so that a child has it."""
    import kosim.experiments.cli as commands

    for module in pkgutil.iter_modules(commands.__path__):
        if module.name != "__main__":
            importlib.import_module(f"{commands.__name__}.{module.name}")
    for name in ("kosim.encoders.loading", "kosim.index.searcher", "kosim.serving.server"):
        importlib.import_module(name)
    import torch

    torch.set_num_threads(1)
    gc.collect()
    gc.freeze()
    gc.disable()


class Materials:
    """A folder with one good file of every kind, from which odd ones are made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pairs = folder / "pairs.tsv"
        self.pairs.write_text(PAIRS)
        self.test = folder / "test.tsv"
        self.test.write_text(PAIRS.replace("거실", "안방"))
        self.corpus = folder / "corpus.txt"
        self.corpus.write_text(CORPUS)
        self.out = folder / "out"
        self.index = folder / "index"
        self.vectors = folder / "vectors.faiss"
        self.foreign = folder / "foreign"
        shutil.copytree(saved_encoder("mini-bi"), self.foreign)
        (self.foreign / "kosim.json").unlink()

    def build_index(self) -> None:
        """Build an index of the corpus by the bundled encoder, and write its vectors."""
        ended = call(
            ["index", "build", str(self.corpus), "--encoder", "mini-bi", "--out", str(self.index)]
        )
        if ended.code != 0:
            raise AssertionError(ended.output)
        texts = str(self.folder / "texts.jsonl")
        ended = call(
            ["index", "export", str(self.index), "--faiss", str(self.vectors), "--texts", texts]
        )
        if ended.code != 0:
            raise AssertionError(ended.output)


ODD: dict[str, Callable[[Path], Path]] = {}
"""What makes an odd path in an empty folder, by name."""


def _odd(make: Callable[[Path], Path]) -> Callable[[Path], Path]:
    ODD[make.__name__.replace("_", " ")] = make
    return make


@_odd
def missing(place: Path) -> Path:
    return place / "nothing.tsv"


@_odd
def unreadable_file(place: Path) -> Path:
    path = place / "secret.tsv"
    path.write_text(PAIRS)
    path.chmod(0)
    return path


@_odd
def unreadable_folder(place: Path) -> Path:
    path = place / "closed"
    path.mkdir()
    (path / "kosim.json").write_text("{}")
    path.chmod(0)
    return path


@_odd
def inside_an_unreadable_folder(place: Path) -> Path:
    return unreadable_folder(place) / "inside.tsv"


@_odd
def below_a_file(place: Path) -> Path:
    (place / "file").write_text("")
    return place / "file" / "inside.tsv"


@_odd
def empty_folder(place: Path) -> Path:
    path = place / "folder.tsv"
    path.mkdir()
    return path


@_odd
def named_pipe(place: Path) -> Path:
    path = place / "pipe.tsv"
    os.mkfifo(path)
    return path


@_odd
def long_name(place: Path) -> Path:
    return place / ("긴" * 100 + ".tsv")


@_odd
def loop_of_links(place: Path) -> Path:
    path = place / "loop.tsv"
    path.symlink_to(path)
    return path


@_odd
def bytes_of_another_encoding(place: Path) -> Path:
    path = place / os.fsdecode("가".encode("euc-kr") + b".tsv")
    path.mkdir()
    return path


@_odd
def markup_and_escapes(place: Path) -> Path:
    return place / "[/b][red]\x1b[2J\x1b]52;c;aGk=\x07.tsv"


def _write_protected(place: Path) -> Path:
    (place / "fixed").mkdir(mode=0o555)
    return place / "fixed" / "new"


@_odd
def device(place: Path) -> Path:
    return Path("/dev/full")


RAN = ("data", "score --pairs", "rerank", "index add CORPUS", "index build", "search --queries")
RAN += (
    "mine",
    "evaluate --test",
    "compare --train",
    "compare --test",
    "evaluate-retrieval --corpus",
)
"""Calls that may be given a shell's ``<(command)``: what they do with it takes seconds."""


def shell_pipe(calls: dict[str, list[str]]) -> Iterator[tuple[str, str | None, Ended]]:
    """Call commands with a pipe that can be read once; what else `sweep` yields."""
    for name in RAN:
        here, there = os.pipe()
        tests = PAIRS.replace("거실", "안방") if name.endswith("--test") else PAIRS
        pairs = name.startswith(("data", "score", "compare", "evaluate --test"))
        os.write(there, (tests if pairs else CORPUS).encode())
        os.close(there)
        dry = ["--dry-run"] if name.startswith("compare") else []
        path = f"/dev/fd/{here}"
        ended = call([*(each.replace("{}", path) for each in calls[name]), *dry])
        os.close(here)
        said = problem(ended)
        yield f"{name}, a shell's pipe", None if ended.code == 0 else said, ended


def commands(materials: Materials) -> dict[str, list[str]]:
    """Return a call for every path that a command reads or writes; ``{}`` is that path."""
    pairs, corpus, index = map(str, (materials.pairs, materials.corpus, materials.index))
    test = str(materials.test)
    out = str(materials.out)
    train = ["--train", pairs, "--test", test, "--out", out]
    small = ["--backbone", "mini", "--out", out]
    judged = ["--queries", pairs, "--relevance", pairs]
    labelled = ["--teacher", "mini-cross", "--corpus", corpus]
    taught = ["--train", pairs, *small]
    placed = ["--encoder", "mini-bi", "--out", out]
    vectors, foreign = str(materials.vectors), str(materials.foreign)
    calls = {
        "compare": "{}",
        "compare --train": ["--train", "{}", "--test", test, *small],
        "compare --test": ["--train", pairs, "--test", "{}", *small],
        "compare --dataset": ["--dataset", "{}", *small],
        "compare --exclude": [*train, "--backbone", "mini", "--exclude", "{}"],
        "compare --backbone": [*train, "--backbone", "{}"],
        "compare --bi": ["--test", pairs, "--bi", "{}", "--out", out],
        "train --train": ["bi", "--train", "{}", *small],
        "train --test": ["bi", "--train", pairs, "--test", "{}", *small],
        "train --backbone": ["bi", "--train", pairs, "--backbone", "{}", "--out", out],
        "tune run": ["bi", "{}"],
        "tune run --space": ["bi", "quickstart", "--space", "{}", "--out", out],
        "tune run --storage": ["bi", "quickstart", "--storage", "sqlite:///{}", "--out", out],
        "tune worker": ["--storage", "sqlite:///{}", "--study", "one"],
        "tune report": ["--storage", "sqlite:///{}", "--study", "one", "--out", out],
        "evaluate": ["{}", "--test", pairs],
        "evaluate --test": ["mini-bi", "--test", "{}"],
        "data": "{}",
        "data --test": [pairs, "--test", "{}"],
        "score": ["{}", "하나", "둘"],
        "score --pairs": ["mini-bi", "--pairs", "{}", "--out", f"{out}.csv", "--overwrite"],
        "rerank": ["{}", "--reranker", "mini-cross", "--query", "창문"],
        "rerank --reranker": [corpus, "--reranker", "{}", "--query", "창문"],
        "explain": ["{}", "하나", "둘"],
        "probe": "{}",
        "probe --items": ["mini-bi", "--items", "{}"],
        "report": "{}",
        "adopt": ["{}", "--validation", pairs, "--out", out],
        "adopt --validation": [foreign, "--validation", "{}", "--out", out],
        "teach --teacher": ["bi", "--teacher", "{}", "--corpus", corpus, *taught],
        "teach --corpus": ["bi", "--teacher", "mini-cross", "--corpus", "{}", *taught],
        "teach --train": ["bi", *labelled, "--train", "{}", *small],
        "teach --silver": ["bi", "--silver", "{}", *taught],
        "teach --extra": ["bi", *labelled, "--extra", "{}", *taught],
        "teach --exclude": ["bi", *labelled, "--exclude", "{}", *taught],
        "teach --miner": ["bi", *labelled, "--miner", "{}", *taught],
        "teach --backbone": ["bi", *labelled, "--train", pairs, "--backbone", "{}", "--out", out],
        "index import --faiss": ["--faiss", "{}", "--texts", corpus, *placed],
        "index import --texts": ["--faiss", vectors, "--texts", "{}", *placed],
        "index export": ["{}", "--faiss", f"{out}.faiss", "--texts", f"{out}.jsonl"],
        "index add": ["{}", corpus],
        "index add CORPUS": [index, "{}"],
        "index add --encoder": [index, corpus, "--encoder", "{}"],
        "index build": ["{}", "--encoder", "mini-bi", "--out", out],
        "index build --encoder": [corpus, "--encoder", "{}", "--out", out],
        "index compact": "{}",
        "index info": "{}",
        "index remove": ["{}", "--id", "1"],
        "index shard": ["{}", "--shards", "2", "--out", out],
        "index verify": "{}",
        "search": ["{}", "창문"],
        "search --queries": [index, "--queries", "{}"],
        "search --reranker": [index, "창문", "--reranker", "{}"],
        "mine": ["{}", "--encoder", "mini-bi"],
        "mine --encoder": [corpus, "--encoder", "{}"],
        "mine --reranker": [corpus, "--encoder", "mini-bi", "--hard", "--reranker", "{}"],
        "serve --encoder": ["--encoder", "{}", "--port", "0"],
        "serve --reranker": ["--reranker", "{}", "--port", "0"],
        "serve --index": ["--index", "{}", "--port", "0"],
        "serve --keys": ["--keys", "{}", "--port", "0"],
        "depth": ["{}", "--reranker", "mini-cross", "--queries", corpus, "--out", out],
        "depth --queries": [index, "--reranker", "mini-cross", "--queries", "{}", "--out", out],
        "evaluate-retrieval --groups": ["--groups", "{}", "--encoder", "mini-bi", "--out", out],
        "evaluate-retrieval --corpus": ["--corpus", "{}", *judged, "--encoder", "mini-bi"],
        "evaluate-retrieval --index": ["--index", "{}", *judged, "--encoder", "mini-bi"],
        "evaluate-retrieval --encoder": ["--groups", corpus, "--encoder", "{}", "--out", out],
        "bench --encoder": ["--encoder", "{}", "--out", out],
        "bench --corpus": ["--encoder", "mini-bi", "--corpus", "{}", "--out", out],
        "plan --encoder": ["--sentences", "1e6", "--encoder", "{}"],
        "plan --corpus": ["--sentences", "1e6", "--encoder", "mini-bi", "--corpus", "{}"],
        "plan --measurements": ["--sentences", "1e6", "--measurements", "{}"],
        "export": ["{}"],
        "export --validation": ["mini-bi", "--validation", "{}"],
        "tokenizer train": ["{}", "--kind", "unigram", "--vocab-size", "300", "--out", out],
        "pretrain": ["{}", "--tokenizer", "mini", "--out", out, "--steps", "1"],
        "pretrain --tokenizer": [corpus, "--tokenizer", "{}", "--out", out, "--steps", "1"],
        "pretrain --backbone": [corpus, "--backbone", "{}", "--out", out, "--steps", "1"],
        "distill": ["{}", "--teacher", "mini-bi", "--student", "mini", "--out", out],
        "distill --teacher": [corpus, "--teacher", "{}", "--student", "mini", "--out", out],
        "distill --student": [corpus, "--teacher", "mini-bi", "--student", "{}", "--out", out],
        "compare-tokenizers": ["{}", *train],
        "compare-tokenizers --train": [corpus, "--train", "{}", "--test", test, "--out", out],
    }
    return {
        name: [*_command(name), *([rest] if isinstance(rest, str) else rest)]
        for name, rest in calls.items()
    }


def writers(materials: Materials) -> dict[str, list[str]]:
    """Return a call for every command that writes; ``{}`` is what it is to write."""
    pairs, corpus = str(materials.pairs), str(materials.corpus)
    both = ["--train", pairs, "--test", str(materials.test)]
    calls: dict[str, list[str]] = {
        "compare": [*both, "--backbone", "mini", "--out", "{}"],
        "train": ["bi", "--train", pairs, "--backbone", "mini", "--out", "{}"],
        "score": ["mini-bi", "--pairs", pairs, "--out", "{}"],
        "index build": [corpus, "--encoder", "mini-bi", "--out", "{}"],
        "index shard": [str(materials.index), "--shards", "2", "--out", "{}"],
        "index import": [
            *("--faiss", str(materials.vectors), "--texts", corpus, "--encoder", "mini-bi"),
            *("--out", "{}"),
        ],
        "adopt": [str(materials.foreign), "--validation", pairs, "--out", "{}"],
        "probe": ["mini-bi", "--out", "{}"],
        "teach": [
            *("bi", "--teacher", "mini-cross", "--corpus", corpus, "--train", pairs),
            *("--backbone", "mini", "--out", "{}"),
        ],
        "bench": ["--encoder", "mini-bi", "--out", "{}"],
        "depth": [
            *(str(materials.index), "--reranker", "mini-cross", "--queries", corpus),
            *("--out", "{}"),
        ],
        "evaluate-retrieval": ["--groups", pairs, "--encoder", "mini-bi", "--out", "{}"],
        "tokenizer train": [corpus, "--kind", "unigram", "--vocab-size", "300", "--out", "{}"],
        "pretrain": [corpus, "--tokenizer", "mini", "--steps", "1", "--out", "{}"],
        "distill": [corpus, "--teacher", "mini-bi", "--student", "mini", "--out", "{}"],
        "compare-tokenizers": [corpus, *both, "--out", "{}"],
        "tune run": ["bi", "quickstart", "--out", "{}"],
    }
    return {name: [*_command(name), *rest] for name, rest in calls.items()}


def _command(name: str) -> list[str]:
    return [word for word in name.split() if word.islower() and not word.startswith("--")]


_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
"""What libraries write themselves; ours shows text of others without."""


def problem(ended: Ended) -> str | None:
    """Return what is wrong with how a call with an odd path ended."""
    if ended.code is None:
        return "it hangs"
    if "Traceback" in ended.output:
        return "traceback"
    if "\x1b" in _COLOUR.sub("", ended.output) or "\x07" in ended.output:
        return "an escape sequence reaches the terminal"
    if ended.code < 0:
        return f"signal {-ended.code}"
    if ended.code == 0:
        return "it says nothing of it"
    said = [line for line in ended.lines if not line.startswith(("Usage: ", "Try '"))]
    if not said or not said[-1].startswith("Error: "):
        return "no line begins with Error:"
    if len(said[-1]) > 1_200:
        return "its line is too long"
    return None


def sweep(
    materials: Materials,
    calls: dict[str, list[str]],
    odd: Sequence[str] = tuple(ODD),
    *,
    every: int = 1,
) -> Iterator[tuple[str, str | None, Ended]]:
    """Yield each call with each odd path: what it was, what is wrong, and how it ended.

    ``every``: one of so many odd paths, other ones for the next call.
    """
    for number, (name, arguments) in enumerate(calls.items()):
        for kind in odd[number % every :: every]:
            place = Path(tempfile.mkdtemp(prefix="odd-"))
            try:
                make = _write_protected if kind == "write protected" else ODD[kind]
                path = str(make(place))
                ended = call([each.replace("{}", path) for each in arguments])
                yield f"{name}, {kind}", problem(ended), ended
            finally:
                _clear(place)
                _clear(materials.out)


def writing(materials: Materials) -> Iterator[tuple[str, str | None, Ended]]:
    """Yield each command that writes where it may not, or over what is no result of it."""
    places = ("inside an unreadable folder", "below a file", "long name", "loop of links")
    places += ("named pipe", "device", "write protected")
    for name, said, ended in sweep(materials, writers(materials), places):
        # A link that leads nowhere is replaced by the file that was asked for.
        replaced = name == "score, loop of links" and ended.code == 0
        yield name, None if replaced else said, ended


_UNREAD = ("README.md", "card.toml")
"""Files of an encoder that tell people of it, which no score needs."""
_READ_TO_TRAIN = ("kosim.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json")


def hidden_parts(materials: Materials) -> Iterator[tuple[str, str | None, Ended]]:
    """Yield calls with a folder of which one file or folder may not be read, each in turn."""
    encoder, text = materials.folder / "encoder", "창문을 닫아 줘"
    shutil.copytree(saved_encoder("mini-bi"), encoder)
    index, corpus = str(materials.index), str(materials.corpus)
    training = ["--backbone", str(encoder), "--steps", "1", "--out", str(materials.out)]
    calls = {
        "search": (materials.index, ["search", index, text]),
        "index verify": (materials.index, ["index", "verify", index]),
        "index add": (materials.index, ["index", "add", index, corpus]),
        "score": (encoder, ["score", str(encoder), text, text]),
        "pretrain": (encoder, ["pretrain", corpus, *training]),
    }
    for name, (folder, arguments) in calls.items():
        for path in sorted(folder.rglob("*")):
            unread = name == "pretrain" and path.name not in _READ_TO_TRAIN
            if unread or path.name.endswith("lock") or path.name in _UNREAD:
                continue
            mode = path.stat().st_mode & 0o7777
            path.chmod(0)
            ended = call(arguments)
            path.chmod(mode)
            _clear(materials.out)
            said = problem(ended)
            # Postings of words and exports are made again; verify lists what it finds.
            remade = {"lexical", "onnx"} & set(path.parts)
            derived = said == "it says nothing of it" and bool(remade)
            found = said == "no line begins with Error:" and name == "index verify"
            yield f"{name} without {path.name}", None if derived or found else said, ended


def _clear(place: Path) -> None:
    for top, folders, _ in os.walk(place):
        for folder in folders:
            (Path(top) / folder).chmod(0o700)
    shutil.rmtree(place, ignore_errors=True)


def main() -> int:
    """Sweep and report.

    Arguments choose commands by the beginning of their names; a number N tries one of N odd paths.
    """
    import_everything()
    wrong = tried = 0
    with tempfile.TemporaryDirectory(prefix="kosim-commands-") as folder:
        os.environ["XDG_CACHE_HOME"] = f"{folder}/cache"
        os.chdir(folder)
        materials = Materials(Path(folder))
        materials.build_index()
        names = tuple(each for each in sys.argv[1:] if not each.isdigit())
        every = next((int(each) for each in sys.argv[1:] if each.isdigit()), 1)
        chosen = {
            name: each
            for name, each in commands(materials).items()
            if not names or name.startswith(names)
        }
        pipes = shell_pipe(commands(materials)) if not names else ()
        writes = writing(materials) if not names else ()
        parts = hidden_parts(materials) if not names else ()
        swept = sweep(materials, chosen, every=every)
        for name, what, ended in chain(swept, writes, pipes, parts):
            tried += 1
            if what is not None:
                wrong += 1
                sys.stdout.write(f"{name}: {what}\n    " + "\n    ".join(ended.lines[-4:]) + "\n")
                sys.stdout.flush()
    sys.stdout.write(f"{tried} calls, {wrong} failures\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
