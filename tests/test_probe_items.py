"""The generated minimal pairs: as many as are promised, and each changed as its phenomenon says."""

from __future__ import annotations

import csv
import dataclasses
import gzip
import unicodedata
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from benchmarks.probes.generate import CONTRASTS, DOMAINS, KEEPERS, PER_DOMAIN, items
from kosim.experiments.probe.items import Item, read_items


@cache
def generated() -> list[dict[str, str]]:
    return list(items())


def of(phenomenon: str) -> list[dict[str, str]]:
    return [item for item in generated() if item["phenomenon"] == phenomenon]


def test_every_phenomenon_has_as_many_items_in_each_domain() -> None:
    counts = Counter((item["phenomenon"], item["domain"]) for item in generated())
    wanted = {(one, domain): PER_DOMAIN for one in (*CONTRASTS, *KEEPERS) for domain in DOMAINS}
    assert counts == wanted
    assert len({item["id"] for item in generated()}) == len(generated())


def test_the_items_that_ship_are_those_of_the_generator() -> None:
    fields = [name.name for name in dataclasses.fields(Item)]
    assert read_items() == [Item(*(item[name] for name in fields)) for item in generated()]


def test_the_three_sentences_differ_and_no_slot_is_left() -> None:
    for item in generated():
        texts = [item["sentence"], item["same"], item["different"]]
        assert len(set(texts)) == 3, item
        assert not any(sign in text for text in texts for sign in "{}|"), item


def test_no_sentence_is_asked_twice_in_a_phenomenon() -> None:
    for phenomenon in (*CONTRASTS, *KEEPERS):
        sentences = [item["sentence"] for item in of(phenomenon)]
        assert len(set(sentences)) == len(sentences), phenomenon


def test_forms_of_writing_undo_to_the_sentence() -> None:
    for item in of("decomposed"):
        assert unicodedata.normalize("NFC", item["same"]) == item["sentence"]
    for item in of("full-width"):
        assert unicodedata.normalize("NFKC", item["same"]) == item["sentence"]
    for item in of("spacing"):
        assert item["same"] == item["sentence"].replace(" ", "")


def test_an_order_is_one_of_the_same_words() -> None:
    for item in of("order"):
        assert sorted(item["same"].split()) == sorted(item["sentence"].split())


def test_a_typo_changes_one_letter() -> None:
    for item in of("typo"):
        pairs = zip(item["same"], item["sentence"], strict=True)
        assert sum(one != other for one, other in pairs) == 1


def test_dropping_particles_only_takes_letters_away() -> None:
    for item in of("particle"):
        rest = iter(item["sentence"])
        assert all(letter in rest for letter in item["same"]), item


@pytest.mark.shared
def test_no_training_data_holds_a_sentence(shared: Path) -> None:
    known = set()
    with (shared / "data/klue-sts/train.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            known |= {row["sentence1"], row["sentence2"]}
    with gzip.open(shared / "data/corpus/ko-sentences.txt.gz", "rt", encoding="utf-8") as file:
        known |= {line.rstrip("\n") for line in file}
    asked = {item[name] for item in generated() for name in ("sentence", "same", "different")}
    assert not asked & known
