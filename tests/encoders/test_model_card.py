"""An encoder's card: read where there is one, and refused by the name of what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kosim.encoders.errors import ArtifactError
from kosim.encoders.model_card import CARD, Said, read_card

CARD_TEXT = """licence = "CC0"
data = { en = "mine", ko = "내 것" }
recipe = { en = "none", ko = "없음" }
[[results]]
metric = "Pearson"
data = { en = "test", ko = "평가" }
n = 9
value = 0.5
low = 0.25
high = 0.75
[[limits]]
en = "short texts only"
ko = "짧은 글만"
"""


def test_a_card_is_read(tmp_path: Path) -> None:
    assert read_card(tmp_path) is None
    (tmp_path / CARD).write_text(CARD_TEXT, encoding="utf-8")
    card = read_card(tmp_path)
    assert card is not None
    assert card.data == Said(en="mine", ko="내 것")
    assert (card.results[0].value, card.results[0].n, card.limits) == (
        *(0.5, 9),
        (Said(en="short texts only", ko="짧은 글만"),),
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"licence = ", "is not TOML"),
        (b"\xff", "is not TOML"),
        (CARD_TEXT.replace("n = 9", "n = 0").encode(), r"results\.0\.n"),
        (CARD_TEXT.replace("0.75", "nan").encode(), r"results\.0\.high"),
        (b"#" * 200_000, "larger than"),
    ],
    ids=["torn", "bytes", "none", "nan", "large"],
)
def test_a_card_that_cannot_be_read_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / CARD).write_bytes(content)
    with pytest.raises(ArtifactError, match=said) as raised:
        read_card(tmp_path)
    assert str(tmp_path / CARD) in str(raised.value)
