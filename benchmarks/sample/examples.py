"""Write ``examples/data`` from the bundled sample: ``python -m benchmarks.sample.examples``."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from kosim.experiments.data.datasets import load_sample

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "data"
PAIRS = 600
SENTENCES = 2_000
GROUPS = 60
ADDED = ("a1,불을 모두 꺼 줘", "a2,비가 오니")


def tables() -> dict[str, pd.DataFrame]:
    """Return the example files by name, as tables; a column named ``""`` has no header."""
    train, test = (load_sample(split).frame for split in ("train", "test"))
    columns = ["sentence1", "sentence2", "label", "source"]
    sentences = dict.fromkeys([*train.sentence1, *train.sentence2])
    same = train[train.label == 5.0].head(GROUPS)
    groups = [
        (number, text)
        for number, row in enumerate(same.itertuples())
        for text in (row.sentence1, row.sentence2)
    ]
    return {
        "pairs.csv": train.sample(PAIRS, random_state=1)[columns],
        "test.csv": test.sample(200, random_state=1)[columns],
        "sentences.txt": pd.DataFrame({"": list(sentences)[:SENTENCES]}),
        "more.csv": pd.DataFrame([row.split(",") for row in ADDED], columns=["id", "text"]),
        "groups.csv": pd.DataFrame(groups, columns=["group", "text"]),
    }


def as_text(table: pd.DataFrame) -> str:
    """Return a table as CSV, or as one text a line where it has no header."""
    if list(table.columns) == [""]:
        return "\n".join(table[""]) + "\n"
    return table.to_csv(index=False)


def main() -> None:
    """Write the files."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, table in tables().items():
        (FOLDER / name).write_text(as_text(table), encoding="utf-8")


if __name__ == "__main__":
    main()
