"""What is served when no model is given."""

from __future__ import annotations

from encoders.errors import ConfigError
from serving.settings import ServingSettings


def with_default_models(settings: ServingSettings) -> ServingSettings:
    """Return settings that name at least one model.

    Raises:
        ConfigError: none is given, and this version comes without one.
    """
    if settings.bi or settings.cross or settings.index:
        return settings
    raise ConfigError(
        "no model is given: say which encoders to serve with --cross MODEL, --bi MODEL or "
        "--index INDEX (kosim train makes one)"
    )
