"""What each word of two sentences adds to their score."""

from __future__ import annotations

import time
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from kosim.encoders.explanation import Explanation, Masking, Unit, cut_text
from kosim.serving.fields import Call, Sentence
from kosim.serving.limits import tell_truncated
from kosim.serving.models import name_of
from kosim.serving.problems import Problem
from kosim.serving.service import Served
from kosim.serving.ticket import TICKET

router = APIRouter(tags=["similarity"])

MOST_WORDS: dict[Unit, int] = {"word": 64, "morpheme": 24}
"""Words of both sentences that are explained: the work grows with the square of their number."""

MOST_MORPHEMES = 96
"""Morphemes of both: a text without spaces is one word, and can have hundreds."""


class ExplainCall(Call):
    """Two sentences whose score is explained."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"sentence1": "거실 불 꺼 줘", "sentence2": "거실 조명은 켜 둬"}]
        },
    )

    sentence1: Sentence
    sentence2: Sentence
    encoder: Literal["bi", "cross"] | None = Field(
        None, description="Whose score; the best encoder that is served by default."
    )
    unit: Unit = Field("word", description="Words between spaces, or Kiwi's morphemes.")
    masking: Masking = Field(
        "removal", description="Whether a word that is left out is removed or masked."
    )


class UnitValue(BaseModel):
    """A word or morpheme, and the points that it adds to the score."""

    text: str
    value: float


class ExplanationAnswer(BaseModel):
    """Shapley values that sum to ``score`` - ``base``, the score of two empty texts.

    ``interaction`` has a row for each unit of the first sentence: what it and each unit of the
    second are worth together beyond what each is worth alone. ``exact`` is false where the values
    are estimates from drawn orders of the words.
    """

    model: str
    encoder: Literal["bi", "cross"]
    score: float
    base: float
    unit: Unit
    masking: Masking
    exact: bool
    units1: list[UnitValue]
    units2: list[UnitValue]
    interaction: list[list[float]]
    seconds: float


def _check_count(count: int, most: int, units: str, how: str = "") -> None:
    if count > most:
        raise Problem(
            413,
            "too_many",
            f"the sentences have {count} {units}; at most {most} are explained{how}: shorten them",
            param="sentence1",
        )


@router.post("/v1/explain")
async def explain(call: ExplainCall, service: Served, response: Response) -> ExplanationAnswer:
    """Explain a score by what each word of both sentences adds to it or takes from it."""
    texts = [
        service.limits.cut_text("sentence1", call.sentence1),
        service.limits.cut_text("sentence2", call.sentence2),
    ]
    words = sum(len(text.split()) for text in texts)
    _check_count(words, MOST_WORDS[call.unit], "words", f" by {call.unit}")
    served = service.models.served
    if call.encoder is not None and call.encoder not in served:
        raise Problem(
            404,
            f"no_{call.encoder}_encoder",
            f"no {call.encoder}-encoder is served",
            param="encoder",
        )
    encoder = served[call.encoder] if call.encoder is not None else service.models.best
    started = time.perf_counter()

    def explained() -> tuple[Explanation, bool]:
        if call.unit == "morpheme":
            morphemes = sum(len(cut_text(text, call.unit).units) for text in texts)
            _check_count(morphemes, MOST_MORPHEMES, "morphemes")
        found = encoder.explain(*texts, unit=call.unit, masking=call.masking)
        return found, TICKET.get().truncated > 0

    found, truncated = await service.admission.run(explained)
    cut = service.limits.count_cut(call.sentence1, call.sentence2)
    tell_truncated(response, max(cut, int(truncated)))
    return ExplanationAnswer(
        model=name_of(encoder),
        encoder=encoder.kind,
        seconds=time.perf_counter() - started,
        **{
            name: value
            for name, value in found.to_dict().items()
            if name in ExplanationAnswer.model_fields
        },
    )
