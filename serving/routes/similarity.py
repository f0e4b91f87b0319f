"""How similar two sentences are: the documented call, and many pairs at once."""

from __future__ import annotations

import time
from typing import Annotated, Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from kosim.encoders.interface import Encoder
from kosim.encoders.records import DECISION_THRESHOLD, Pair
from kosim.serving.fields import Call, Items, Sentence
from kosim.serving.limits import tell_truncated, tell_uncalibrated
from kosim.serving.models import name_of
from kosim.serving.problems import Problem
from kosim.serving.service import Served, Service
from kosim.serving.ticket import TICKET

router = APIRouter(tags=["similarity"])


class Side(BaseModel):
    """One side of the documented call."""

    sentence: Sentence


class TwoSentences(BaseModel):
    """The documented call."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"r1": {"sentence": "거실 불 꺼 줘"}, "r2": {"sentence": "거실 조명 꺼"}}]
        }
    )

    r1: Side
    r2: Side


class Conclusion(BaseModel):
    """The documented answer, with its own names."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True)

    first: str = Field(alias="Sentence1")
    second: str = Field(alias="Sentence2")
    score: float = Field(alias="문장유사도 점수(5점 만점 중)")
    verdict: Literal["유사함", "유사하지 않음"] = Field(alias="결론")


class Pairs(Call):
    """Pairs of sentences to score."""

    model_config = ConfigDict(extra="forbid")

    pairs: Annotated[list[tuple[Sentence, Sentence]], Items] = Field(
        description="Two sentences each."
    )
    encoder: Literal["both", "bi", "cross"] | None = Field(
        None, description="What scores; every encoder that is served by default."
    )
    symmetric: StrictBool = Field(
        False, description="Average both orders of a pair, where its order matters."
    )


class PairScore(BaseModel):
    """The score of a pair on 0-5, the encoder's own value, and the encoder's verdict."""

    score: float
    raw: float
    similar: bool


class EncoderScores(BaseModel):
    """What one encoder says of all pairs, and the seconds until it had said it.

    ``truncated`` is how many of its inputs, sentences or pairs, were cut at its maximum length;
    without ``calibrated`` the scores are its own values, spread over 0-5.
    """

    model: str
    threshold: float
    seconds: float
    truncated: int
    scores: list[PairScore]
    calibrated: bool = True


class Similarities(BaseModel):
    """The scores by encoder; one that was not asked is null."""

    bi: EncoderScores | None = None
    cross: EncoderScores | None = None


@router.post("/")
async def compare_two(call: TwoSentences, service: Served, response: Response) -> Conclusion:
    """Score two sentences with the best encoder that is served; similar from 3 of 5 on."""
    first, second = call.r1.sentence, call.r2.sentence
    pair = (
        service.limits.cut_text("r1.sentence", first),
        service.limits.cut_text("r2.sentence", second),
    )

    def scored() -> tuple[float, int]:
        return float(service.models.best.score([pair])[0]), TICKET.get().truncated

    score, truncated = await service.admission.run(scored)
    tell_truncated(response, max(truncated, service.limits.count_cut(first, second)))
    tell_uncalibrated(response, service.models.best)
    verdict = "유사함" if score >= DECISION_THRESHOLD else "유사하지 않음"
    return Conclusion(first=first, second=second, score=score, verdict=verdict)


@router.post("/v1/similarity")
async def similarity(call: Pairs, service: Served, response: Response) -> Similarities:
    """Score pairs with the bi-encoder, the cross-encoder, or both."""
    service.limits.check_count("pairs", len(call.pairs))
    cut = service.limits.cut_text
    pairs = [
        (cut(f"pairs[{number}][0]", first), cut(f"pairs[{number}][1]", second))
        for number, (first, second) in enumerate(call.pairs)
    ]
    chosen = _chosen(service, call.encoder)

    def scores() -> Similarities:
        return Similarities(
            **{
                kind: _scored(encoder, pairs, symmetric=call.symmetric)
                for kind, encoder in chosen.items()
            }
        )

    answer = await service.admission.run(scores)
    told = [one.truncated for one in (answer.bi, answer.cross) if one is not None]
    flat = [text for pair in call.pairs for text in pair]
    tell_truncated(response, max(*told, service.limits.count_cut(*flat)))
    tell_uncalibrated(response, *chosen.values())
    return answer


def _chosen(service: Service, asked: str | None) -> dict[str, Encoder]:
    served = service.models.served
    if asked is None:
        return dict(served)
    wanted = ("bi", "cross") if asked == "both" else (asked,)
    for kind in wanted:
        if kind not in served:
            raise Problem(
                404, f"no_{kind}_encoder", f"no {kind}-encoder is served", param="encoder"
            )
    return {kind: served[kind] for kind in wanted}


def _scored(encoder: Encoder, pairs: list[Pair], *, symmetric: bool) -> EncoderScores:
    started, ticket = time.perf_counter(), TICKET.get()
    before = ticket.truncated
    raw = encoder.score(pairs, raw=True, symmetric=symmetric)
    seconds = time.perf_counter() - started
    scores = encoder.calibration(raw)
    return EncoderScores(
        model=name_of(encoder),
        threshold=encoder.threshold,
        seconds=seconds,
        truncated=ticket.truncated - before,
        calibrated=encoder.calibrated,
        scores=[
            PairScore(score=score, raw=value, similar=score >= encoder.threshold)
            for score, value in zip(scores.tolist(), raw.tolist(), strict=True)
        ],
    )
