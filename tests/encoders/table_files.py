"""Table files that tests write, and what is read from them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from kosim.encoders.errors import DataError
from kosim.encoders.language import Line
from kosim.encoders.tables import read_table
from tests.encoders.workbooks import workbook

HANGUL = re.compile("[가-힣]")
HEADER = "sentence1,sentence2,label"
PAIRS = f"{HEADER}\n방이 넓다,창이 크다,3\n"
RECORD = {"sentence1": "방이 넓다", "sentence2": "창이 크다", "label": "3"}
FORMATS = {
    "one object a line": (json.dumps(RECORD) + "\n" + json.dumps(RECORD) + "\n").encode(),
    "a list": json.dumps([RECORD, RECORD]).encode(),
    "a list over many lines": json.dumps([RECORD, RECORD], indent=1).encode(),
    "commas": (PAIRS + PAIRS.split("\n")[1] + "\n").encode(),
    "tabs": (PAIRS + PAIRS.split("\n")[1] + "\n").replace(",", "\t").encode(),
    "excel": workbook([HEADER.split(","), *[list(RECORD.values())] * 2]),
}


def write_file(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def read_rows(path: Path, **options: Any) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the records and the notices, which are there in Korean too."""
    notices: list[Line] = []
    table = read_table(path, notice=notices.append, **options)
    found = [
        {str(key): value for key, value in row.items() if not pd.isna(value)}
        for row in table.to_dict("records")
    ]
    assert all(HANGUL.search(notice.ko) for notice in notices)
    return found, [notice.en for notice in notices]


def refused(path: Path, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        read_table(path, notice=lambda message: None, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 700
    return message
