"""What an experiment found, in plain words and in both languages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kosim.encoders.language import LANGUAGES, Line
from kosim.experiments.study.figures import Difference

_FEW_SEEDS = 3


@dataclass(frozen=True)
class Finding:
    """The conclusion of an experiment: a headline, what supports it, and what to be wary of.

    ``title`` names what was asked, ``question`` says of which data, ``advice`` what to do; an
    experiment may have none of them. ``figures`` are values for programs, such as the name of the
    winner.
    """

    headline: Line
    sentences: tuple[Line, ...] = ()
    warnings: tuple[Line, ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
    title: Line | None = None
    question: Line | None = None
    advice: Line | None = None

    @classmethod
    def of(
        cls,
        headline: Line,
        sentences: Iterable[Line | None],
        warnings: Iterable[Line | None],
        *,
        title: Line | None = None,
        question: Line | None = None,
        advice: Line | None = None,
        **figures: Any,
    ) -> Finding:
        """Build a finding of those lines that have something to say."""
        said, warned = (tuple(filter(None, lines)) for lines in (sentences, warnings))
        return cls(headline, said, warned, figures, title, question, advice)

    def to_json(self) -> dict[str, Any]:
        """Return the figures, and under ``en`` and ``ko`` all that is said, warnings first."""
        said: dict[str, Any] = {
            language: {
                "warnings": [getattr(line, language) for line in self.warnings],
                "headline": getattr(self.headline, language),
                "advice": getattr(self.advice, language) if self.advice else None,
                "sentences": [getattr(line, language) for line in self.sentences],
            }
            for language in LANGUAGES
        }
        return {**self.figures, **said}


def few_seeds(seeds: Sequence[int]) -> Line | None:
    """Return the warning that a run has too few seeds, where it has."""
    if len(seeds) >= _FEW_SEEDS:
        return None
    return Line(
        "Fewer than 3 seeds: differences between single runs may be luck.",
        "시드가 3개보다 적어, 차이가 우연일 수 있습니다.",
    )


def told_apart(gap: Difference | None) -> Line:
    """Return whether a difference is more than chance, as the end of a sentence."""
    if gap is not None and gap.significant:
        return Line("the difference is real", "차이가 유의합니다")
    return Line("the data cannot tell them apart", "데이터로는 우열을 가릴 수 없습니다")
