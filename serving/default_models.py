"""What is served when no model is given."""

from __future__ import annotations

from kosim.encoders.bundle import MINI_BI, MINI_CROSS, saved_encoder
from kosim.encoders.errors import ConfigError
from kosim.serving.settings import ServingSettings


def with_default_models(settings: ServingSettings) -> ServingSettings:
    """Return settings that name at least one model: the bundled encoders where none is given.

    Raises:
        ConfigError: none is given, and this installation lacks the bundled ones.
    """
    if settings.bi or settings.cross or settings.index:
        return settings
    bi, cross = saved_encoder(MINI_BI), saved_encoder(MINI_CROSS)
    if not (bi.is_dir() and cross.is_dir()):
        raise ConfigError(
            f"no model is given, and {bi.parent} lacks the bundled encoders; install kosim anew, "
            "or say which encoders to serve with --cross MODEL, --bi MODEL or --index INDEX"
        )
    return settings.model_copy(update={"bi": bi, "cross": cross})
