"""A study: Optuna's, with the settings and the data that it is about."""

from __future__ import annotations

import optuna
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from kosim.encoders.errors import ConfigError
from kosim.experiments.tuning.heartbeat import is_retry
from kosim.experiments.tuning.plan import plan_trials
from kosim.experiments.tuning.settings import TuneSettings

SETTINGS, DATA, PURPOSE = "kosim_settings", "kosim_data", "purpose"


def begin_study(
    storage: RDBStorage, name: str, settings: TuneSettings, data: str, *, resume: bool
) -> optuna.Study:
    """Make a study and plan its trials, or take up one with the same settings.

    Args:
        storage: where it is kept.
        name: of the study.
        settings: what it is about.
        data: the fingerprint of its training and validation pairs.
        resume: whether a study that is there may be taken up.

    Raises:
        ConfigError: the study is there and ``resume`` is false, or it is about another kind of
            encoder, other data, or other settings; both are named.
    """
    planned = plan_trials(settings)
    names = [summary.study_name for summary in optuna.get_all_study_summaries(storage)]
    if name in names:
        if not resume:
            raise ConfigError(
                f"the study {name} exists already; continue with --resume, or give another --study"
            )
        study = load_study(storage, name)
        _check_same(study, settings, data)
    else:
        study = optuna.create_study(storage=storage, study_name=name, direction="maximize")
        study.set_user_attr(SETTINGS, settings.to_json())
        study.set_user_attr(DATA, data)
    # A kill between making the study and planning it leaves some out.
    there = [trial for trial in study.get_trials(deepcopy=False) if not is_retry(trial)]
    for trial in planned[len(there) :]:
        study.enqueue_trial(trial.values, user_attrs={PURPOSE: trial.purpose})
    return study


def load_study(storage: RDBStorage, name: str, *, worker: int = 0) -> optuna.Study:
    """Open a study that is there, with the sampler and the pruner of its settings.

    Args:
        storage: where it is kept.
        name: of the study.
        worker: the number of the process; workers of one study draw differently.

    Raises:
        ConfigError: there is no such study, or it is none of kosim's.
    """
    try:
        study = optuna.load_study(storage=storage, study_name=name)
    except KeyError as error:
        known = [summary.study_name for summary in optuna.get_all_study_summaries(storage)]
        raise ConfigError(
            f"there is no study {name}; the storage has {', '.join(known) or 'none'}"
        ) from error
    settings = settings_of(study)
    return optuna.load_study(
        storage=storage,
        study_name=name,
        sampler=_sampler(settings, worker),
        pruner=_pruner(settings),
    )


def settings_of(study: optuna.Study) -> TuneSettings:
    """Return the settings of a study.

    Raises:
        ConfigError: it is none of kosim's.
    """
    text = study.user_attrs.get(SETTINGS)
    if text is None:
        raise ConfigError(f"the study {study.study_name} was not made by kosim tune")
    return TuneSettings.from_json(text)


def check_data(study: optuna.Study, data: str) -> None:
    """Check that a study is about these pairs.

    Raises:
        ConfigError: it is about others; both are named.
    """
    if study.user_attrs.get(DATA) != data:
        raise ConfigError(
            f"the study {study.study_name} is about other data (fingerprint "
            f"{str(study.user_attrs.get(DATA))[:12]}) than given ({data[:12]}); give the same "
            "pairs, or another --study"
        )


def finished(study: optuna.Study) -> list[optuna.trial.FrozenTrial]:
    """Return the trials that ran to their end, oldest first."""
    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def _check_same(study: optuna.Study, settings: TuneSettings, data: str) -> None:
    before = settings_of(study)
    if before.kind != settings.kind:
        raise ConfigError(
            f"the study {study.study_name} tunes a {before.kind}-encoder, not a "
            f"{settings.kind}-encoder; give another --study"
        )
    check_data(study, data)
    if before != settings:
        changed = [
            name
            for name in type(settings).model_fields
            if getattr(before, name) != getattr(settings, name)
        ]
        raise ConfigError(
            f"the study {study.study_name} was begun with other settings ({', '.join(changed)}); "
            "give the same ones, or another --study"
        )


def _sampler(settings: TuneSettings, worker: int) -> BaseSampler:
    if settings.sampler == "tpe":
        return TPESampler(seed=settings.seed + worker, multivariate=True, constant_liar=True)
    return RandomSampler(seed=settings.seed)  # all values are planned


def _pruner(settings: TuneSettings) -> BasePruner:
    if settings.prune == "median":
        return MedianPruner(n_startup_trials=4, n_warmup_steps=1)
    if settings.prune == "hyperband":
        return HyperbandPruner(min_resource=1, reduction_factor=3)
    return NopPruner()
