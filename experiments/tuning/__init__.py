"""Tuning: a study of hyperparameters, its trials on any number of processes, and what it found."""

from __future__ import annotations

from importlib.util import find_spec

from kosim.encoders.errors import MissingExtraError

if find_spec("optuna") is None:
    raise MissingExtraError(
        'tuning needs optuna, which is not installed: pip install "kosim[tune]"'
    )
