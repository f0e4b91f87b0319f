"""Groups of settings, whose problems are a `ConfigError` that names all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from kosim.encoders.errors import ConfigError, did_you_mean, printable

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
            raise _refusal(error, self) from error


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
        raise _refusal(error, group) from error


def _refusal(error: ValidationError, group: Any) -> ConfigError:
    said = [f"{_field(item)}: {_plain(item, group)}" for item in error.errors()]
    return ConfigError("; ".join(said))


def _field(problem: Any) -> str:
    return printable(".".join(str(part) for part in problem["loc"])) or "settings"


def _plain(problem: Any, group: Any) -> str:
    if problem["type"] == "extra_forbidden":
        *path, name = problem["loc"]
        return f"unknown setting{did_you_mean(str(name), _known(group, path))}"
    message = str(problem["msg"]).removeprefix("Value error, ")
    given = problem.get("input")
    return message if isinstance(given, dict | None) else f"{message} (given: {given!r})"


def _known(kind: Any, path: Sequence[str | int]) -> list[str]:
    """Return the names of the settings at a path into a group, or into what holds groups."""
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        fields = kind.model_fields
        if not path:
            return list(fields)
        return _known(fields[str(path[0])].annotation, path[1:]) if path[0] in fields else []
    deeper = path[1:] if get_origin(kind) in (dict, list) else path
    return [name for inner in get_args(kind) for name in _known(inner, deeper)]
