"""What a study found: the best trial, what each change was worth, and what it cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.importance import get_param_importances
from optuna.trial import FrozenTrial, TrialState

from kosim.encoders.errors import DataError
from kosim.experiments.settings import EncoderSettings
from kosim.experiments.tuning.plan import base_values
from kosim.experiments.tuning.results import ParameterResults, TrialResults, TuneCost
from kosim.experiments.tuning.settings import TuneSettings
from kosim.experiments.tuning.space import with_values
from kosim.experiments.tuning.study import PURPOSE, finished
from kosim.experiments.tuning.trial import (
    CURVES,
    EPOCHS,
    OUT_OF_MEMORY,
    OUTCOME,
    PER_SEED,
    SECONDS,
)

_FEWEST = 4
"""Trials below which importances would be noise."""


def best_trial(study: optuna.Study) -> FrozenTrial:
    """Return the trial with the highest value, the earliest of several.

    Raises:
        DataError: none has ended with a value.
    """
    trials = finished(study)
    if not trials:
        raise DataError(
            f"the study {study.study_name} has no finished trial, so there is nothing to report; "
            "let workers run on it first"
        )
    return max(trials, key=lambda trial: (trial.value or 0.0, -trial.number))


def best_settings(study: optuna.Study, settings: TuneSettings) -> EncoderSettings:
    """Return the encoder's settings with the values of the best trial."""
    return with_values(settings.base, best_trial(study).params)


def describe_study(study: optuna.Study, settings: TuneSettings) -> dict[str, Any]:
    """Return the fields of the results that follow from the trials of a study."""
    best = best_trial(study)
    trials = [_describe(trial) for trial in study.get_trials(deepcopy=False) if _planned(trial)]
    base = _trial_with(finished(study), base_values(settings))
    return {
        "study": study.study_name,
        "kind": settings.kind,
        "metric": settings.metric,
        "sampler": settings.sampler,
        "prune": settings.prune,
        "seeds": settings.seeds,
        "base": None if base is None else _describe(base),
        "best": _describe(best),
        "parameters": _parameters(study, settings, base, best),
        "trials": trials,
        "cost": _cost(trials, settings),
        "settings": settings.model_dump(mode="json"),
    }


def _planned(trial: FrozenTrial) -> bool:
    return PURPOSE in trial.user_attrs


def _describe(trial: FrozenTrial) -> TrialResults:
    attributes = trial.user_attrs
    return TrialResults(
        number=trial.number,
        state=trial.state.name.lower(),
        value=trial.value if trial.state == TrialState.COMPLETE else None,
        values=dict(trial.params),
        purpose=attributes.get(PURPOSE),
        per_seed=attributes.get(PER_SEED, []),
        epochs=attributes.get(EPOCHS, 0),
        seconds=attributes.get(SECONDS),
        curves=attributes.get(CURVES, {}),
        reported={str(epoch): value for epoch, value in trial.intermediate_values.items()},
        outcome=attributes.get(OUTCOME),
    )


def _trial_with(trials: Sequence[FrozenTrial], values: Mapping[str, Any]) -> FrozenTrial | None:
    return next((trial for trial in trials if trial.params == dict(values)), None)


def _parameters(
    study: optuna.Study, settings: TuneSettings, base: FrozenTrial | None, best: FrozenTrial
) -> list[ParameterResults]:
    importances = _importances(study, list(settings.space))
    before = base_values(settings)
    found = []
    for name in settings.space:
        changed = _trial_with(finished(study), {**before, name: best.params[name]})
        effect = spread = None
        if base is not None and changed is not None and changed.number != base.number:
            by_seed = np.subtract(changed.user_attrs[PER_SEED], base.user_attrs[PER_SEED])
            effect = float(by_seed.mean())
            spread = float(by_seed.std(ddof=1)) if len(by_seed) > 1 else None
        found.append(
            ParameterResults(
                name=name,
                base=before[name],
                best=best.params[name],
                importance=importances.get(name),
                effect=effect,
                effect_spread=spread,
            )
        )
    return found


def _importances(study: optuna.Study, names: list[str]) -> dict[str, float]:
    trials = finished(study)
    varying = [name for name in names if len({trial.params[name] for trial in trials}) > 1]
    if len(trials) < _FEWEST or not varying or len({trial.value for trial in trials}) < 2:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    return dict(get_param_importances(study, evaluator=evaluator, params=varying))


def _cost(trials: Sequence[TrialResults], settings: TuneSettings) -> TuneCost:
    """Return sums over the trials, and the epochs that they would have taken unpruned, at most."""
    ended = [trial for trial in trials if trial.state in ("complete", "pruned")]
    planned = settings.base.training.epochs
    whole = sum(
        trial.epochs
        if trial.state == "complete"  # patience, not pruning, ended it
        else len(settings.seeds) * int(trial.values.get("epochs", planned))
        for trial in ended
    )
    epochs = sum(trial.epochs for trial in ended)
    return TuneCost(
        **Counter(trial.state for trial in trials),
        out_of_memory=sum((t.outcome or "").startswith(OUT_OF_MEMORY) for t in trials),
        epochs=epochs,
        epochs_unpruned=whole,
        epochs_saved=1 - epochs / whole if whole else 0.0,
        seconds=sum(trial.seconds or 0.0 for trial in trials),
    )
