"""Training of either kind of encoder, on sentence-transformers' trainers.

The main names are imported when they are first asked for: the settings alone load no trainer.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kosim.encoders.training.config import TrainingConfig
    from kosim.encoders.training.result import EpochRecord, TrainingResult
    from kosim.encoders.training.run import train

__all__ = ["EpochRecord", "TrainingConfig", "TrainingResult", "train"]

_MODULES = {
    "EpochRecord": "result",
    "TrainingConfig": "config",
    "TrainingResult": "result",
    "train": "run",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value
