"""Groups of settings, whose problems are a `ConfigError` that names all of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from kosim.encoders.errors import ConfigError, printable

if TYPE_CHECKING:
    from pydantic._internal._model_construction import ModelMetaclass
else:
    ModelMetaclass = type(BaseModel)  # pydantic names it in private only

_Group = TypeVar("_Group", bound=BaseModel)


class _Checked(ModelMetaclass):
    """Turns what pydantic says of a call into a `ConfigError`; nested groups are no calls."""

    def __call__(self, *args: Any, **content: Any) -> Any:
        try:
            return super().__call__(*args, **content)
        except ValidationError as error:
            raise _refusal(error) from error


class Settings(BaseModel, metaclass=_Checked):
    """A group of settings: unknown keys are refused, values cannot change.

    Raises:
        ConfigError: naming every unknown key and impossible value at once.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)


def parse_settings(group: type[_Group], content: Mapping[str, Any]) -> _Group:
    """Check raw settings against a group.

    Raises:
        ConfigError: naming every unknown key and impossible value at once.
    """
    try:
        return group.model_validate(content)
    except ValidationError as error:
        raise _refusal(error) from error


def _refusal(error: ValidationError) -> ConfigError:
    return ConfigError("; ".join(f"{_field(item)}: {_plain(item)}" for item in error.errors()))


def _field(problem: Any) -> str:
    return printable(".".join(str(part) for part in problem["loc"])) or "settings"


def _plain(problem: Any) -> str:
    if problem["type"] == "extra_forbidden":
        return "unknown setting"
    message = str(problem["msg"]).removeprefix("Value error, ")
    given = problem.get("input")
    return message if isinstance(given, dict | None) else f"{message} (given: {given!r})"
