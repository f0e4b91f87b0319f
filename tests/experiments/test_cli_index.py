"""``kosim index``: what it makes of a corpus, and that bad input leaves an index as it was."""

from __future__ import annotations

import errno
import gzip
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from kosim.index.corpus_index import CorpusIndex
from kosim.index.sharding.folder import Shards
from tests.experiments.tiny_artifacts import (
    answer,
    checksum,
    kosim,
    name_encoder,
    refusal,
    sentences,
)

TEXTS = sentences(40)


@pytest.fixture(scope="module")
def made(encoders: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made")
    corpus = folder / "corpus.txt"
    corpus.write_text("\n".join(TEXTS) + "\n", encoding="utf-8")
    answer("index", "build", corpus, "--encoder", encoders["bi"], "--out", folder / "index")
    return folder / "index"


@pytest.fixture
def index(made: Path, tmp_path: Path) -> Path:
    """An index that the test may change."""
    return Path(shutil.copytree(made, tmp_path / "index"))


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_text_file_becomes_an_index(made: Path, encoders: dict[str, Path]) -> None:
    index = CorpusIndex.open(made)
    assert index.texts(index.rows()) == TEXTS
    assert index.ids(index.rows()) == [str(number) for number in range(1, 41)]
    assert index.encoder.name == str(encoders["bi"].resolve())
    assert sorted(path.name for path in made.parent.iterdir()) == ["corpus.txt", "index"]


def test_an_index_of_bytes_and_fewer_dimensions(
    made: Path, encoders: dict[str, Path], tmp_path: Path
) -> None:
    place = ("--encoder", encoders["bi"], "--out", tmp_path / "small")
    small = ("--vectors", "int8", "--dimensions", "4")
    told = kosim("index", "build", made.parent / "corpus.txt", *place, *small)
    assert told.exit_code == 0
    assert "trained for 4 dimensions" in told.stderr
    facts = json.loads(answer("index", "info", tmp_path / "small", "--json"))
    assert (facts["vectors"], facts["dimensions"]) == ("int8", 4)
    assert json.loads(answer("search", tmp_path / "small", TEXTS[3], "-k", "1", "--json"))
    refused = refusal("index", "compact", tmp_path / "small", "--vectors", "fp32")
    assert "has int8 vectors, which cannot become fp32 again" in refused


TABLE = pd.DataFrame({"key": ["a", "b"], "body": TEXTS[:2], "year": [2023, 2024]})
WRITERS: dict[str, Callable[[], bytes]] = {
    "csv": lambda: TABLE.to_csv(index=False).encode(),
    "tsv": lambda: TABLE.to_csv(index=False, sep="\t").encode(),
    "jsonl": lambda: TABLE.to_json(orient="records", lines=True, force_ascii=False).encode(),
    "parquet": lambda: TABLE.to_parquet(None),
}


@pytest.mark.parametrize("way", ["file", "gzip", "stdin"])
@pytest.mark.parametrize("name", WRITERS)
def test_tables_become_an_index(
    encoders: dict[str, Path], tmp_path: Path, name: str, way: str
) -> None:
    content = WRITERS[name]()
    out = tmp_path / "index"
    options = ["--encoder", encoders["bi"], "--out", out]
    options += ["--text-column", "body", "--id-column", "key"]
    if way == "stdin":
        answer("index", "build", "-", "--format", name, *options, text=content)
    else:
        suffix, packed = (".gz", gzip.compress(content)) if way == "gzip" else ("", content)
        answer("index", "build", write(tmp_path / f"c.{name}{suffix}", packed), *options)
    index = CorpusIndex.open(out)
    found = index.documents(index.rows())
    assert [(document.id, document.text) for document in found] == [
        ("a", TEXTS[0]),
        ("b", TEXTS[1]),
    ]
    years = ["2023", "2024"] if name in ("csv", "tsv") else [2023, 2024]
    assert [document.extra for document in found] == [{"year": year} for year in years]


def test_build_says_what_type_and_why(encoders: dict[str, Path], tmp_path: Path) -> None:
    corpus = write(tmp_path / "c.txt", "\n".join(TEXTS))
    options = ("--encoder", encoders["bi"], "--out", tmp_path / "i", "--type", "hnsw")
    said = answer("index", "build", corpus, *options)
    assert said.startswith("hnsw: ")
    assert "40 documents" in said


def test_info_reports_measured_recall(made: Path, encoders: dict[str, Path]) -> None:
    facts = json.loads(answer("index", "info", made, "--json"))
    assert facts["documents"] == 40
    assert facts["segments"][0]["type"] == "flat"
    assert facts["segments"][0]["why"]
    assert facts["generation"] == 1
    assert facts["encoder"]["name"] == str(encoders["bi"].resolve())
    assert facts["recall@10"] == {"value": 1.0, "sample": 40}
    assert facts["bytes"] > 40 * 32 * 4


def test_info_for_people_has_the_same(made: Path) -> None:
    said = answer("index", "info", made, "--sample", "0")
    for part in ("40", "flat: ", "generation"):
        assert part in said
    assert "recall@10" not in said


def test_added_documents_are_there(index: Path, tmp_path: Path) -> None:
    more = write(tmp_path / "more.jsonl", '{"id": "new", "text": "새 문장"}\n')
    assert "Added 1; " in answer("index", "add", index, more)
    opened = CorpusIndex.open(index)
    assert len(opened) == 41
    assert opened.texts(opened.locate(["new"])) == ["새 문장"]


def test_known_ids_are_refused_or_replaced(index: Path, tmp_path: Path) -> None:
    more = write(tmp_path / "more.jsonl", '{"id": "7", "text": "새 문장"}\n')
    before = checksum(index)
    said = refusal("index", "add", index, more)
    assert "id '7' is in " in said and "replace it (--on-duplicate replace)" in said
    assert checksum(index) == before
    answer("index", "add", index, more, "--on-duplicate", "replace")
    opened = CorpusIndex.open(index)
    assert len(opened) == 40
    assert opened.texts(opened.locate(["7"])) == ["새 문장"]


def test_an_argument_of_the_library_is_named_as_its_option(index: Path, tmp_path: Path) -> None:
    answer("index", "compact", index, "--vectors", "int8")
    said = refusal("index", "compact", index, "--vectors", "fp16")
    assert "build the index of the texts with --vectors fp16" in said
    rows = write(tmp_path / "rows.csv", "a,b\n1,2\n")
    assert "with --text-column NAME" in refusal("index", "add", index, rows)
    lines = write(tmp_path / "lines.txt", "가\n")
    said = refusal("rerank", lines, "--reranker", "mini-bi", "--query", "가", "-k", "0")
    assert "-k is 0; ask for at least 1 hit" in said


def test_removed_documents_are_gone(index: Path) -> None:
    assert "Removed 3; " in answer("index", "remove", index, "--id", "3", "4", "--id", "5")
    opened = CorpusIndex.open(index)
    assert len(opened) == 37
    assert opened.locate(["2", "3", "4", "5"]).tolist()[1:] == [-1, -1, -1]


def test_removing_an_unknown_id_removes_nothing(index: Path) -> None:
    before = checksum(index)
    assert "id 'x'" in refusal("index", "remove", index, "--id", "3", "x")
    assert checksum(index) == before
    assert "no id is given" in refusal("index", "remove", index)


def test_compact_merges_and_keeps_everything(index: Path, tmp_path: Path) -> None:
    answer("index", "remove", index, "--id", "3")
    answer("index", "add", index, write(tmp_path / "more.csv", "id,text\nnew,새 문장\n"))
    assert "40 documents" in answer("index", "compact", index)
    facts = json.loads(answer("index", "info", index, "--json"))
    assert facts["removed"] == 0
    assert len(facts["segments"]) == 1
    assert facts["log"]["documents"] == 0
    opened = CorpusIndex.open(index)
    assert opened.texts(opened.rows()) == [*TEXTS[:2], *TEXTS[3:], "새 문장"]


def test_the_root_is_no_index() -> None:
    assert "is not an index" in refusal("index", "info", "/")


def test_an_index_is_built_over_the_folder_one_is_in_but_not_over_the_root(
    encoders: dict[str, Path], index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = index.parent / "one.txt"
    corpus.write_text("한 문장\n", encoding="utf-8")
    monkeypatch.chdir(index)
    build = ("index", "build", corpus, "--encoder", encoders["bi"], "--overwrite", "--out")
    answer(*build, ".")
    assert len(CorpusIndex.open(index)) == 1
    assert "is the root of all files" in refusal(*build, "/")


@pytest.mark.parametrize("command", ["info", "verify", "add", "remove", "search"])
def test_an_index_may_be_the_folder_one_is_in(
    index: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.chdir(index)
    (index.parent / "more.txt").write_text("새 문장\n", encoding="utf-8")
    more = {
        "add": ["../more.txt", "--on-duplicate", "replace"],
        "remove": ["--id", "1"],
        "search": [TEXTS[3]],
    }
    words = [command] if command == "search" else ["index", command]
    answer(*words, ".", *more.get(command, []))


def test_verify_of_what_is_no_index_is_a_refusal(made: Path, tmp_path: Path) -> None:
    for path, said in (
        (tmp_path / "typo.index", "does not exist; give the folder of an index"),
        (tmp_path, "is not an index: it has no manifest.json"),
        (made / "manifest.json", "is a file; give the folder of an index"),
    ):
        result = kosim("index", "verify", path, "--json")
        assert said in result.stderr
        assert "damaged" not in result.stderr
        assert result.stdout == ""


def test_replaced_documents_are_not_counted_as_new(index: Path, tmp_path: Path) -> None:
    lines = ['{"id": "q", "text": "첫째"}', '{"id": "q", "text": "둘째"}']
    more = write(tmp_path / "more.jsonl", "\n".join(lines) + "\n")
    said = answer("index", "add", index, more, "--on-duplicate", "replace")
    assert "Added 1, 1 in place of others with their id; " in said
    again = answer("index", "add", index, more, "--on-duplicate", "replace")
    assert "Added 0, 2 in place of others with their id; " in again


def test_verify_calls_a_sound_index_sound(made: Path) -> None:
    assert json.loads(answer("index", "verify", made, "--json"))["sound"] is True
    assert "is sound" in answer("index", "verify", made)


def test_verify_names_the_damaged_file(index: Path) -> None:
    file = next(index.rglob("documents.arrow"))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    result = kosim("index", "verify", index, "--json")
    assert result.exit_code == 2
    found = json.loads(result.stdout)
    assert found["sound"] is False
    assert "documents.arrow" in found["problems"][0]
    people = kosim("index", "verify", index)
    assert people.exit_code == 2
    assert "documents.arrow" in people.stdout


def test_truncated_file_is_refused(index: Path) -> None:
    file = next(index.rglob("documents.arrow"))
    file.write_bytes(file.read_bytes()[:-8])
    assert "documents.arrow" in refusal("index", "info", index)


def test_newer_format_is_refused(index: Path) -> None:
    manifest = index / "manifest.json"
    content = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**content, "format": 99}))
    assert "format 99" in refusal("index", "info", index)


BAD: dict[str, tuple[bytes, str]] = {
    "empty.txt": (b"", "no sentence"),
    "blank.txt": ("하나\n\n둘\n".encode(), "line 2: the text is blank"),
    "spaces.txt": ("하나\n \t\n".encode(), "line 2: the text is nothing but blanks"),
    "long.txt": (b"a\n" + b"a" * 100_000, "line 2: the text has 100,000 characters"),
    "mixed.txt": ("하나\n".encode() + "둘".encode("cp949"), "line 2: byte 0x"),
    "column.csv": (b"a,b\n1,2\n", "its columns are a, b"),
    "twice.csv": (b"id,text\n1,x\n1,y\n", "id '1' appears twice"),
    "ragged.csv": (b"id,text\nq,x\nw\n", "line 3: 1 cells"),
    "half.jsonl": (b'{"text": "\\ud800"}\n', "half a character"),
    "broken.parquet": (b"PAR1", "not a Parquet file"),
    "broken.txt.gz": (b"x", "not a gzip file"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_corpus_is_refused_and_nothing_changed(
    index: Path, encoders: dict[str, Path], tmp_path: Path, name: str
) -> None:
    content, said = BAD[name]
    corpus = write(tmp_path / name, content)
    before = checksum(index)
    assert said in refusal("index", "add", index, corpus)
    assert checksum(index) == before
    out = tmp_path / "new"
    options = ("--encoder", encoders["bi"], "--out", out)
    assert said in refusal("index", "build", corpus, *options)
    assert said in refusal("index", "build", corpus, *options[:2], "--out", index, "--overwrite")
    assert not out.exists()
    assert checksum(index) == before


def test_bad_lines_are_skipped_by_choice(encoders: dict[str, Path], tmp_path: Path) -> None:
    corpus = write(tmp_path / "c.txt", "하나\n\n둘\n".encode() + b"\xff\n")
    options = ("--encoder", encoders["bi"], "--out", tmp_path / "i", "--bad-lines", "skip")
    result = kosim("index", "build", corpus, *options)
    assert result.exit_code == 0, result.output
    assert "skipped 2 bad lines" in result.stderr
    assert "line 2: the text is blank" in result.stderr
    assert len(CorpusIndex.open(tmp_path / "i")) == 2


def test_existing_index_is_replaced_only_by_choice(
    index: Path, encoders: dict[str, Path], tmp_path: Path
) -> None:
    corpus = write(tmp_path / "c.txt", "하나\n둘\n")
    options = (corpus, "--encoder", encoders["bi"], "--out", index)
    before = checksum(index)
    assert "exists already" in refusal("index", "build", *options)
    assert checksum(index) == before
    answer("index", "build", *options, "--overwrite")
    assert len(CorpusIndex.open(index)) == 2


def test_cross_encoder_makes_no_index(encoders: dict[str, Path], tmp_path: Path) -> None:
    corpus = write(tmp_path / "c.txt", "하나\n")
    options = ("--encoder", encoders["cross"], "--out", tmp_path / "i")
    assert "is a cross-encoder" in refusal("index", "build", corpus, *options)


def test_other_encoder_may_not_add(index: Path, encoders: dict[str, Path], tmp_path: Path) -> None:
    more = write(tmp_path / "c.csv", "id,text\nnew,하나\n")
    before = checksum(index)
    said = refusal("index", "add", index, more, "--encoder", encoders["other"])
    assert str(encoders["bi"]) in said
    assert checksum(index) == before


def test_moved_encoder_is_asked_for_and_given(
    index: Path, encoders: dict[str, Path], tmp_path: Path
) -> None:
    moved = shutil.copytree(encoders["bi"], tmp_path / "moved")
    name_encoder(index, "/gone/bi")
    more = write(tmp_path / "c.csv", "id,text\nnew,하나\n")
    assert "/gone/bi" in (said := refusal("index", "add", index, more))
    assert "--encoder" in said
    answer("index", "add", index, more, "--encoder", moved)
    assert len(CorpusIndex.open(index)) == 41


def test_full_disk_leaves_the_index_as_it_was(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    more = write(tmp_path / "c.csv", "id,text\nnew,하나\n")
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        assert "No space left" in refusal("index", "add", index, more)
    opened = CorpusIndex.open(index)
    assert len(opened) == 40
    assert opened.verify() == []


def test_an_index_is_cut_into_shards_and_indexes_become_shards(
    made: Path, index: Path, tmp_path: Path
) -> None:
    said = answer("index", "shard", made, "--shards", 3, "--out", tmp_path / "cut")
    assert "shard-1: 14 documents" in said
    assert "40 documents in 3 shards" in said
    assert "is sound" in answer("index", "verify", tmp_path / "cut")
    cut = Shards.open(tmp_path / "cut")
    assert [len(one) for one in cut.indexes.values()] == [14, 13, 13]
    parts = [tmp_path / "cut" / name for name in ("shard-3", "shard-1")]
    answer("index", "shard", *parts, "--out", tmp_path / "two")
    assert len(Shards.open(tmp_path / "two")) == 27
    said = refusal("index", "shard", made, index, "--out", tmp_path / "both")
    assert "id '1' is in " in said
    assert not (tmp_path / "both").exists()


def test_the_words_of_shards_can_be_prepared(made: Path, tmp_path: Path) -> None:
    pytest.importorskip("kiwipiepy")
    answer("index", "shard", made, "--shards", 2, "--lexical", "--out", tmp_path / "cut")
    for index in Shards.open(tmp_path / "cut").indexes.values():
        assert index.lexical.verify(index.snapshot) == []
        assert [path for path in (index.folder / "lexical").iterdir() if path.is_dir()]


@pytest.mark.parametrize("options", [[], ["--shards", 2, "MADE"], ["--type", "flat", "MADE"]])
def test_what_is_to_be_the_shards_must_be_clear(
    made: Path, tmp_path: Path, options: list[object]
) -> None:
    given = [made if one == "MADE" else one for one in options]
    said = refusal("index", "shard", made, *given, "--out", tmp_path / "out")
    assert "give one INDEX and --shards" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", ["info", "verify", "compact", "add", "remove"])
def test_folder_that_is_no_index_is_refused(tmp_path: Path, command: str) -> None:
    arguments = {"add": [write(tmp_path / "c.txt", "하나")], "remove": ["--id", "1"]}
    (tmp_path / "none").mkdir()
    result = kosim("index", command, tmp_path / "none", *arguments.get(command, []))
    assert result.exit_code == 2
    assert "is not an index" in result.output


def test_help_lists_the_commands() -> None:
    said = answer("index", "--help")
    for command in ("build", "add", "remove", "info", "verify", "compact", "shard"):
        assert command in said
        assert "Usage:" in answer("index", command, "--help")


def test_an_index_goes_out_to_faiss_and_comes_back(
    made: Path, encoders: dict[str, Path], tmp_path: Path
) -> None:
    files = ("--faiss", tmp_path / "v.faiss", "--texts", tmp_path / "t.jsonl")
    answer("index", "export", made, *files)
    out = tmp_path / "again"
    answer("index", "import", *files, "--encoder", encoders["bi"], "--out", out)
    assert CorpusIndex.open(out).encoder == CorpusIndex.open(made).encoder
    queries = ("--json", "-k", 5, TEXTS[3], TEXTS[7])
    lines = [answer("search", folder, *queries).splitlines() for folder in (made, out)]
    hits = [[json.loads(line)["hits"] for line in found] for found in lines]
    assert hits[0] == hits[1]
    assert "exists already" in refusal("index", "export", made, *files)
    lines = (tmp_path / "t.jsonl").read_text().splitlines()
    write(tmp_path / "t.jsonl", "\n".join(lines[:-1]) + "\n")
    message = refusal(
        "index", "import", *files, "--encoder", encoders["bi"], "--out", tmp_path / "x"
    )
    assert "has 40 vectors, and the texts are 39" in message
