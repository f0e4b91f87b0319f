import json
from collections import Counter

import numpy as np
import pytest

from kosim.encoders.errors import CorpusIndexError
from kosim.index.lexical.postings import MANIFEST, Postings, damaged_files, read_manifest

TEXTS = ["나 너 나", "", "너 우리", "우리 우리 우리 나", "é 𐀀 한글"]
DOCUMENTS = [text.split() for text in TEXTS]


def build(documents, size=2):
    return Postings.build(documents[i : i + size] for i in range(0, len(documents), size))


def content(postings):
    """Return {term: [(row, frequency), ...]}."""
    found = {}
    for term in postings:
        place = postings.find(term.decode())
        rows, frequencies = postings.rows[place].tolist(), postings.frequencies[place].tolist()
        found[term.decode()] = list(zip(rows, frequencies, strict=True))
    return found


def expected(documents):
    found = {}
    for row, terms in enumerate(documents):
        for term, count in Counter(terms).items():
            found.setdefault(term, []).append((row, count))
    return found


def random_documents(count, seed):
    random = np.random.default_rng(seed)
    return [[f"t{i}" for i in random.zipf(1.5, random.integers(0, 9))] for _ in range(count)]


@pytest.fixture
def stored(tmp_path):
    build(DOCUMENTS).write(tmp_path, analyzer="a", generation=3)
    return tmp_path


@pytest.mark.parametrize("size", [1, 2, 100])
def test_postings_of_every_term_are_counted(size):
    postings = build(DOCUMENTS, size)
    assert content(postings) == expected(DOCUMENTS)
    assert postings.lengths.tolist() == [3, 0, 2, 4, 3]
    assert postings.total_length == 12


def test_many_documents_in_many_batches():
    documents = random_documents(2000, seed=0)
    assert content(build(documents, 17)) == expected(documents)


def test_terms_are_in_the_order_of_their_bytes():
    terms = list(build(random_documents(200, seed=1)))
    assert terms == sorted(terms)


@pytest.mark.parametrize("term", ["", "0", "나나", "하", "힣힣"])
def test_a_term_that_is_not_there_has_no_postings(term):
    place = build(DOCUMENTS).find(term)
    assert place.stop - place.start == 0


def test_progress_counts_documents():
    seen = []
    Postings.build([DOCUMENTS[:2], DOCUMENTS[2:]], progress=seen.append)
    assert seen == [2, 3]


def test_merging_equals_building_at_once():
    documents = random_documents(300, seed=2)
    cuts = [documents[:100], documents[100:100], documents[100:250], documents[250:]]
    merged = Postings.merge([build(part) for part in cuts])
    assert content(merged) == expected(documents)
    assert merged.lengths.tolist() == [len(terms) for terms in documents]


def test_merging_leaves_its_parts_as_they_were():
    first, second = build(DOCUMENTS[:2]), build(DOCUMENTS[2:])
    Postings.merge([first, second])
    assert content(first) == expected(DOCUMENTS[:2])
    assert content(second) == expected(DOCUMENTS[2:])


@pytest.mark.parametrize("documents", [DOCUMENTS, [[], []], []])
def test_stored_postings_are_the_same(tmp_path, documents):
    build(documents).write(tmp_path, analyzer="a", generation=3)
    opened = Postings.open(tmp_path, analyzer="a", rows=len(documents))
    assert content(opened) == expected(documents)
    assert opened.lengths.tolist() == [len(terms) for terms in documents]
    assert damaged_files(tmp_path) == []
    assert read_manifest(tmp_path)["generation"] == 3


def test_another_analyser_is_refused(stored):
    with pytest.raises(CorpusIndexError, match="analyzer is 'a', wanted is 'b'"):
        Postings.open(stored, analyzer="b", rows=5)


def test_another_number_of_documents_is_refused(stored):
    with pytest.raises(CorpusIndexError, match="rows is 5, wanted is 6"):
        Postings.open(stored, analyzer="a", rows=6)


def test_a_newer_format_is_refused(stored):
    manifest = json.loads((stored / MANIFEST).read_text())
    (stored / MANIFEST).write_text(json.dumps({**manifest, "format": 2}))
    with pytest.raises(CorpusIndexError, match="format is 2"):
        Postings.open(stored, analyzer="a", rows=5)


def test_a_truncated_file_is_refused(stored):
    path = stored / "rows.npy"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CorpusIndexError, match=r"rows\.npy does not have the size"):
        Postings.open(stored, analyzer="a", rows=5)


def test_a_file_of_another_type_is_refused(stored):
    path = stored / "lengths.npy"
    np.save(path, np.zeros(5, dtype=np.float32))
    with pytest.raises(CorpusIndexError, match=r"lengths\.npy holds float32"):
        Postings.open(stored, analyzer="a", rows=5)


def test_pickled_content_is_refused(stored):
    path = stored / "lengths.npy"
    np.save(path, np.array([{}], dtype=object), allow_pickle=True)
    manifest = json.loads((stored / MANIFEST).read_text())
    manifest["files"]["lengths.npy"]["size"] = path.stat().st_size
    (stored / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(CorpusIndexError):
        Postings.open(stored, analyzer="a", rows=5)


@pytest.mark.parametrize("name", ["term_ends", "posting_ends"])
def test_ends_that_lead_nowhere_are_refused(stored, name):
    path = stored / f"{name}.npy"
    ends = np.load(path)
    ends[0] = 10**9
    np.save(path, ends)
    with pytest.raises(CorpusIndexError, match=f"contradict each other: {name}"):
        Postings.open(stored, analyzer="a", rows=5)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", "null", '{"format": 1, "analyzer": "a"', "[" * 9999]
)
def test_a_damaged_manifest_is_refused(stored, text):
    (stored / MANIFEST).write_text(text)
    with pytest.raises(CorpusIndexError, match="cannot be used"):
        Postings.open(stored, analyzer="a", rows=5)
    assert len(damaged_files(stored)) == 1
    assert read_manifest(stored) == {}


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(CorpusIndexError, match="cannot be used"):
        Postings.open(tmp_path / "none", analyzer="a", rows=5)


def test_checksums_find_an_edit_of_the_same_size(stored):
    path = stored / "rows.npy"
    content = bytearray(path.read_bytes())
    content[-4] ^= 1
    path.write_bytes(content)
    assert damaged_files(stored) == [f"{path} does not have the checksum of its manifest"]
