"""What a study found: the best trial, what each change was worth, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.importance import get_param_importances
from optuna.trial import FrozenTrial, TrialState

from kosim.encoders.errors import DataError
from kosim.experiments.settings import EncoderSettings
from kosim.experiments.tuning.plan import base_values
from kosim.experiments.tuning.settings import TuneSettings
from kosim.experiments.tuning.space import with_values
from kosim.experiments.tuning.study import PURPOSE, finished, settings_of
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

Record = dict[str, Any]


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


def best_settings(study: optuna.Study) -> EncoderSettings:
    """Return the encoder's settings with the values of the best trial."""
    return with_values(settings_of(study).base, best_trial(study).params)


def describe_study(study: optuna.Study) -> Record:
    """Return all figures of a study as JSON values.

    ``parameters`` has a record for each: base and best value, ``effect`` on the metric of going
    from one to the other while all else stays at the base (where such a trial was run), the
    standard deviation of that effect over the seeds, and the parameter's importance (fANOVA,
    Hutter et al. 2014). ``trials`` lists every trial; ``cost`` sums them up.
    """
    settings = settings_of(study)
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
    }


def _planned(trial: FrozenTrial) -> bool:
    return PURPOSE in trial.user_attrs


def _describe(trial: FrozenTrial) -> Record:
    attributes = trial.user_attrs
    return {
        "number": trial.number,
        "state": trial.state.name.lower(),
        "value": trial.value if trial.state == TrialState.COMPLETE else None,
        "values": dict(trial.params),
        "purpose": attributes.get(PURPOSE),
        "per_seed": attributes.get(PER_SEED, []),
        "epochs": attributes.get(EPOCHS, 0),
        "seconds": attributes.get(SECONDS),
        "curves": attributes.get(CURVES, {}),
        "reported": {str(epoch): value for epoch, value in trial.intermediate_values.items()},
        "outcome": attributes.get(OUTCOME),
    }


def _trial_with(trials: Sequence[FrozenTrial], values: Mapping[str, Any]) -> FrozenTrial | None:
    return next((trial for trial in trials if trial.params == dict(values)), None)


def _parameters(
    study: optuna.Study, settings: TuneSettings, base: FrozenTrial | None, best: FrozenTrial
) -> list[Record]:
    importances = _importances(study, list(settings.space))
    before = base_values(settings)
    records = []
    for name in settings.space:
        record: Record = {
            "name": name,
            "base": before[name],
            "best": best.params[name],
            "importance": importances.get(name),
            "effect": None,
            "effect_spread": None,
        }
        changed = _trial_with(finished(study), {**before, name: best.params[name]})
        if base is not None and changed is not None and changed.number != base.number:
            by_seed = np.subtract(changed.user_attrs[PER_SEED], base.user_attrs[PER_SEED])
            record["effect"] = float(by_seed.mean())
            record["effect_spread"] = float(by_seed.std(ddof=1)) if len(by_seed) > 1 else None
        records.append(record)
    return records


def _importances(study: optuna.Study, names: list[str]) -> dict[str, float]:
    trials = finished(study)
    varying = [name for name in names if len({trial.params[name] for trial in trials}) > 1]
    if len(trials) < _FEWEST or not varying or len({trial.value for trial in trials}) < 2:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    return dict(get_param_importances(study, evaluator=evaluator, params=varying))


def _out_of_memory(trial: Record) -> bool:
    return (trial["outcome"] or "").startswith(OUT_OF_MEMORY)


def _cost(trials: Sequence[Record], settings: TuneSettings) -> Record:
    """Return sums over the trials, and the epochs that they would have taken unpruned."""
    states = [trial["state"] for trial in trials]
    ended = [trial for trial in trials if trial["state"] in ("complete", "pruned")]
    whole = sum(
        len(settings.seeds) * int(trial["values"].get("epochs", settings.base.training.epochs))
        for trial in ended
    )
    epochs = sum(trial["epochs"] for trial in ended)
    return {
        **{state: states.count(state) for state in sorted(set(states))},
        "out_of_memory": sum(_out_of_memory(trial) for trial in trials),
        "epochs": epochs,
        "epochs_unpruned": whole,
        "epochs_saved": 1 - epochs / whole if whole else 0.0,
        "seconds": sum(trial["seconds"] or 0.0 for trial in trials),
    }
