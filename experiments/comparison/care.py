"""Whether the contenders had equal care: the same pairs, ceiling, patience, trials and seeds."""

from __future__ import annotations

from dataclasses import dataclass, replace

from kosim.encoders.language import Line, both
from kosim.experiments.comparison.facts import Facts
from kosim.experiments.comparison.wording import capital
from kosim.experiments.study.notation import count, duration, many


@dataclass(frozen=True)
class Care:
    """What one contender was given to learn with, over all its seeds; None where it is unknown."""

    pairs: int | None
    digest: str | None
    ceiling: int | None
    patience: int | None
    trials: int
    seeds: int

    def words(self) -> Line:
        """Return what was given, in words."""
        parts = []
        if self.pairs is not None:
            parts.append(Line(many(self.pairs, "pair"), f"학습 {count(self.pairs)}쌍"))
        if self.ceiling is not None:
            parts.append(Line(f"at most {many(self.ceiling, 'epoch')}", f"최대 {self.ceiling}에폭"))
        if self.patience:
            parts.append(Line(f"patience {self.patience}", f"조기 종료 {self.patience}에폭"))
        parts.append(Line(many(self.trials, "configuration"), f"설정 {self.trials}개"))
        parts.append(Line(many(self.seeds, "seed"), f"시드 {self.seeds}개"))
        return Line.join(", ", parts)


def care_of(facts: Facts, name: str) -> Care | None:
    """Return what a contender was given, or None where no training of it is known."""
    seeds = facts.encoders[name].seeds
    run = next((run for run in seeds.values() if run.history), None)
    if run is None:
        return None
    asked = facts.results.asked(name)
    told = {} if asked.get("artifact") else asked.get("training", {})
    pairs = run.train_pairs
    if pairs is None and told:
        pairs = facts.results.used.get("train")
    return Care(
        pairs=pairs,
        digest=run.train_digest,
        ceiling=told.get("epochs") if run.ceiling is None else run.ceiling,
        patience=(told.get("patience") if run.patience is None else run.patience) or 0,
        trials=max(run.trials, 1),
        seeds=len(seeds),
    )


def equal_care(facts: Facts) -> Line | None:
    """Say that all contenders were trained alike, and what each made of it."""
    found = [care_of(facts, name) for name in facts.encoders]
    if len(found) < 2 or found[0] is None or set(found) != {found[0]}:
        return None
    return both(
        "Equal care: each was given {given}. {spent}.",
        "같은 조건: 모두 {given}. {spent}.",
        given=found[0].words(),
        spent=capital(Line.join("; ", [_spent(facts, name) for name in facts.encoders])),
    )


def unequal_care(facts: Facts) -> Line | None:
    """Warn of contenders that were not trained alike."""
    found = {name: care_of(facts, name) for name in facts.encoders}
    known = {name: care for name, care in found.items() if care is not None}
    pairs = {care.digest for care in known.values()}
    if None in pairs:  # who learnt from the same pairs is not known
        known = {name: replace(care, digest=None) for name, care in known.items()}
    if len(known) < 2 or len(set(known.values())) == 1:
        return None
    others = Line("", "")
    if len(pairs) > 1 and None not in pairs and len({care.pairs for care in known.values()}) == 1:
        others = Line(
            "; as many pairs, but not the same ones", "; 학습 쌍의 수는 같지만 같은 쌍이 아닙니다"
        )
    return both(
        "Unequal care: {given}{others}. Give all the same pairs, epochs and trials (--tune N) "
        "before you call one better.",
        "조건이 다릅니다: {given}{others}. 우열을 말하려면 같은 쌍, 에폭, 시도 횟수(--tune N)로 "
        "학습하십시오.",
        given=Line.join(
            "; ",
            [
                both("{name} had {care}", "{name} {care}", name=facts.name(name), care=care.words())
                for name, care in known.items()
            ],
        ),
        others=others,
    )


def _spent(facts: Facts, name: str) -> Line:
    """Say how long a contender trained, over all its seeds."""
    runs = facts.encoders[name].seeds.values()
    lengths = [len(run.history) for run in runs]
    epochs = str(min(lengths)) if len(set(lengths)) == 1 else f"{min(lengths)}–{max(lengths)}"
    steps = [run.steps for run in runs if run.steps is not None]
    seconds = [run.train_seconds for run in runs if run.train_seconds is not None]
    noun = "epoch" if epochs == "1" else "epochs"
    shown, parts = Line(f"{epochs} {noun}", f"{epochs}에폭"), []
    if steps:
        parts.append(Line(f"{count(sum(steps))} steps", f"{count(sum(steps))}스텝"))
    if seconds:
        parts.append(duration(sum(seconds)))
    if len(runs) > 1 and parts:
        shown = Line(f"{shown.en} a seed, in all", f"시드마다 {shown.ko}, 모두")
        spent = Line.join(" ", [shown, Line.join(", ", parts)])
    else:
        spent = Line.join(", ", [shown, *parts])
    return both("{name} trained {spent}", "{name} {spent}", name=facts.name(name), spent=spent)
