"""Files of labelled pairs that tests write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

KLUE_RECORDS: list[dict[str, Any]] = [
    {
        "guid": f"made-up-{i}",
        "source": source,
        "sentence1": f"첫째 문장 {i}",
        "sentence2": f"둘째 문장 {i}",
        "labels": {"label": round(mean, 1), "real-label": mean, "binary-label": int(mean >= 3)},
        "annotations": {"agreement": "", "annotators": ["1", "2", "3"], "annotations": marks},
    }
    for i, (source, mean, marks) in enumerate([("a", 11 / 3, [4, 4, 3]), ("b", 1 / 3, [0, 0, 1])])
]


def write_records(folder: Path, records: list[dict[str, Any]]) -> Path:
    path = folder / "pairs.json"
    path.write_text(json.dumps(records), encoding="utf-8")
    return path


def write_csv(folder: Path, text: str) -> Path:
    path = folder / "pairs.csv"
    path.write_text(text, encoding="utf-8")
    return path
