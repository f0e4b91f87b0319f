"""What is asked and what answers it, from groups and from relevance files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kosim.encoders.beir import BeirFolder
from kosim.encoders.errors import ConfigError, DataError
from kosim.experiments.data.sentence_groups import SentenceGroups
from kosim.experiments.retrieval.queries import choose_groups, grouped_task, judged_task
from kosim.experiments.retrieval.run import RetrievalSource

TEXTS = ("문 열어", "문 좀 열어", "문을 열어 줘", "불 꺼", "불 좀 꺼", "문  열어")
GROUPS = SentenceGroups(TEXTS, np.array([0, 0, 0, 1, 1, 0]))
IDS, CORPUS = ["a", "b", "c"], ["바다가 넓다", "산이 높다", "강이 길다"]


def files(tmp_path: Path, queries: str, relevance: str) -> tuple[Path, Path]:
    paths = tmp_path / "q.tsv", tmp_path / "r.tsv"
    for path, text in zip(paths, (queries, relevance), strict=True):
        path.write_text(text, encoding="utf-8")
    return paths


def test_the_other_sentences_of_a_group_answer_a_sentence() -> None:
    task = grouped_task(GROUPS, TEXTS, [0, 1])
    assert task.queries == ("문 열어", "문 좀 열어", "문을 열어 줘", "불 꺼", "불 좀 꺼")
    assert task.groups.tolist() == [0, 0, 0, 1, 1]
    assert set(task.relevant[3]) == {4}
    assert task.own[3] == {3}


def test_a_copy_of_the_query_is_left_out_with_it() -> None:
    task = grouped_task(GROUPS, TEXTS, [0])
    assert task.own[0] == {0, 5}
    assert set(task.relevant[0]) == {1, 2}
    assert set(task.relevant[1]) == {0, 5, 2}


def test_only_chosen_groups_are_asked_over_the_whole_corpus() -> None:
    task = grouped_task(GROUPS, ("새 문장", *TEXTS), [1])
    assert task.queries == ("불 꺼", "불 좀 꺼")
    assert set(task.relevant[0]) == {5}
    assert task.facts["documents"] == 7


def test_some_queries_of_each_group_are_drawn_by_the_seed() -> None:
    task = grouped_task(GROUPS, TEXTS, [0, 1], per_group=1, seed=3)
    assert task.groups.tolist() == [0, 1]
    assert task.queries == grouped_task(GROUPS, TEXTS, [0, 1], per_group=1, seed=3).queries


def test_a_sentence_that_the_corpus_lacks_is_named() -> None:
    with pytest.raises(DataError, match="불 좀 꺼"):
        grouped_task(GROUPS, TEXTS[:4], [0, 1])


def test_no_query_per_group_is_refused() -> None:
    with pytest.raises(ConfigError, match="0 queries per group"):
        grouped_task(GROUPS, TEXTS, [0], per_group=0)


def test_all_groups_are_asked_unless_some_are_held_out() -> None:
    assert choose_groups(GROUPS, None, seed=0) == [0, 1]
    assert len(choose_groups(GROUPS, 1, seed=0)) == 1


def test_a_relevance_file_says_what_answers(tmp_path: Path) -> None:
    queries, relevance = files(
        tmp_path,
        "query_id\ttext\ngroup1\t바다\ngroup2\t산\n",
        "query_id\tdocument_id\trelevance\ngroup1\ta\t2\ngroup1\tb\t0\ngroup1\tc\t1\n",
    )
    task = judged_task(queries, relevance, IDS, CORPUS)
    assert task.query_ids == ("group1",)
    assert task.relevant == ({0: 2.0, 2: 1.0},)
    assert task.facts["queries_without_relevant_documents"] == 1
    assert task.facts["graded"]


def test_without_a_gain_a_document_is_worth_one(tmp_path: Path) -> None:
    queries, relevance = files(tmp_path, "_id\ttext\nx\t바다\n", "query-id\tcorpus-id\nx\tb\n")
    assert judged_task(queries, relevance, IDS, CORPUS).relevant == ({1: 1.0},)


def test_queries_may_come_in_groups(tmp_path: Path) -> None:
    queries, relevance = files(
        tmp_path,
        "query_id\ttext\tgroup\nx\t바다\tg\ny\t산\tg\nz\t강\th\n",
        "query_id\tdocument_id\nx\ta\ny\tb\nz\tc\n",
    )
    assert judged_task(queries, relevance, IDS, CORPUS).groups.tolist() == [0, 0, 1]


def test_a_query_that_is_a_document_is_left_out_of_its_results(tmp_path: Path) -> None:
    queries, relevance = files(
        tmp_path,
        "query_id\ttext\na\t바다가  넓다\nb\t다른 글\n",
        "query_id\tdocument_id\na\ta\na\tb\nb\tc\n",
    )
    task = judged_task(queries, relevance, IDS, CORPUS)
    assert task.own == (frozenset({0}), frozenset())
    assert task.relevant[0] == {1: 1.0}


@pytest.mark.parametrize(
    ("queries", "relevance", "said"),
    [
        ("query_id\ttext\nx\t가\n", "query_id\tdocument_id\nx\tq\n", "'q' is not in the corpus"),
        (
            "query_id\ttext\nx\t가\n",
            "query_id\tdocument_id\ny\ta\n",
            "'y' is not among the queries",
        ),
        ("query_id\ttext\nx\t가\n", "query_id\tdoc\nx\ta\n", "no column 'document_id'"),
        ("query_id\tbody\nx\t가\n", "query_id\tdocument_id\nx\ta\n", "no column 'text'"),
        ("query_id\ttext\nx\t\n", "query_id\tdocument_id\nx\ta\n", "row 1: the text is empty"),
        ("query_id\ttext\nx\t가\nx\t나\n", "query_id\tdocument_id\nx\ta\n", "appears twice"),
        (
            "query_id\ttext\nx\t가\n",
            "query_id\tdocument_id\trelevance\nx\ta\t좋음\n",
            "relevance '좋음' is not a number",
        ),
        (
            "query_id\ttext\nx\t가\n",
            "query_id\tdocument_id\trelevance\nx\ta\t0\n",
            "no query .* has a relevant document",
        ),
    ],
)
def test_a_bad_file_is_refused(tmp_path: Path, queries: str, relevance: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        judged_task(*files(tmp_path, queries, relevance), IDS, CORPUS)


JUDGMENTS = {
    "r.tsv": "query-id\tcorpus-id\tscore\nx\tb\t2\n",
    "beir-without-names.tsv": "x\tb\t2\n",
    "r.csv": "질의 ID,문서 ID,관련도\nx,b,2\n",
    "trec.txt": "x 0 b 2\n\nx Q0 c 0\n",
    "tabs.qrels": "x\t0\tb\t2\n",
    "r.jsonl": '{"qid": "x", "doc_id": "b", "relevance": 2}\n',
}


@pytest.mark.parametrize("name", JUDGMENTS)
def test_judgments_in_beirs_and_trecs_and_other_forms(tmp_path: Path, name: str) -> None:
    queries = tmp_path / "queries.jsonl"
    queries.write_text('{"_id": "x", "text": "바다"}\n', encoding="utf-8")
    relevance = tmp_path / name
    relevance.write_text(JUDGMENTS[name], encoding="utf-8")
    assert judged_task(queries, relevance, IDS, CORPUS).relevant == ({1: 2.0},)


@pytest.mark.parametrize(
    "text, said",
    [
        ("x 0 b\n", "relevance 'b' is not a number"),
        ("x 0 b 1\nx 0 b\n", "line 2: 3 cells where the first line has 4"),
        ("x 0 b 1 1\n", "has no column 'query_id'"),
    ],
)
def test_bad_judgments_of_trec(tmp_path: Path, text: str, said: str) -> None:
    queries = tmp_path / "queries.jsonl"
    queries.write_text('{"_id": "x", "text": "바다"}\n', encoding="utf-8")
    (tmp_path / "r.txt").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=said):
        judged_task(queries, tmp_path / "r.txt", IDS, CORPUS)


def test_the_ids_of_numbers_in_json_match_those_in_text(tmp_path: Path) -> None:
    queries, relevance = tmp_path / "q.jsonl", tmp_path / "r.tsv"
    queries.write_text('{"_id": 1, "text": "바다"}\n', encoding="utf-8")
    relevance.write_text("query-id\tcorpus-id\tscore\n1\t2\t1\n", encoding="utf-8")
    assert judged_task(queries, relevance, ["1", "2"], CORPUS[:2]).relevant == ({1: 1.0},)


def test_a_folder_in_beirs_layout(tmp_path: Path) -> None:
    assert BeirFolder.find(tmp_path) is None
    for name in ("corpus.jsonl", "queries.jsonl"):
        (tmp_path / name).touch()
    (tmp_path / "qrels").mkdir()
    for split in ("train", "test"):
        (tmp_path / "qrels" / f"{split}.tsv").touch()
    found = BeirFolder.find(tmp_path)
    assert found is not None
    assert found.split() == tmp_path / "qrels" / "test.tsv"
    assert found.split("train") == tmp_path / "qrels" / "train.tsv"
    with pytest.raises(DataError, match="no split dev; it holds test, train"):
        found.split("dev")
    (tmp_path / "qrels" / "test.tsv").unlink()
    assert BeirFolder.find(tmp_path).split() == tmp_path / "qrels" / "train.tsv"  # type: ignore[union-attr]


def test_a_corpus_in_beirs_layout_brings_its_questions(tmp_path: Path) -> None:
    (tmp_path / "qrels").mkdir()
    for name in ("corpus.jsonl", "queries.jsonl", "qrels/test.tsv", "qrels/dev.tsv"):
        (tmp_path / name).touch()
    source = RetrievalSource(corpus=str(tmp_path))
    assert source.corpus == str(tmp_path / "corpus.jsonl")
    assert source.queries == str(tmp_path / "queries.jsonl")
    assert source.relevance == str(tmp_path / "qrels" / "test.tsv")
    chosen = RetrievalSource(corpus=str(tmp_path), relevance=str(tmp_path / "qrels" / "dev.tsv"))
    assert chosen.relevance == str(tmp_path / "qrels" / "dev.tsv")
    assert RetrievalSource(corpus=str(tmp_path), groups="g.csv").queries is None
