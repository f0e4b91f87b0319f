"""Fields of requests: texts that are whole, names that mean the same, and nulls."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    Field,
    GetJsonSchemaHandler,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

HITS = AliasChoices("k", "top_k", "top_n", "limit")
"""Names under which clients ask for a number of hits, in search."""

BEST = AliasChoices("top_n", "top_k", "k", "limit")
"""Names under which clients ask for a number of hits, in the forms of reranking services."""

CANDIDATES = AliasChoices("candidates", "depth", "rerank_depth", "rerank_candidates")
"""Names of the number of documents that are retrieved and then reranked."""


class Call(BaseModel):
    """The body of a request: an optional field may be null, which means its default.

    Generated clients send null for whatever their users leave out. Of the names that mean the same
    one may be given.
    """

    @model_validator(mode="before")
    @classmethod
    def _with_one_name_each(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        for field in cls.model_fields.values():
            if isinstance(field.validation_alias, AliasChoices):
                names = [str(name) for name in field.validation_alias.choices if name in values]
                if len(names) > 1:
                    raise ValueError(f"{names[0]} and {names[1]} mean the same; give one of them")
        return values

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        required = {name for name, field in cls.model_fields.items() if field.is_required()}
        return {
            name: value for name, value in values.items() if value is not None or name in required
        }

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Return the schema, in which every optional field may be null."""
        described = handler(schema)
        model = handler.resolve_ref_schema(described)
        required = model.get("required", [])
        for name, field in model.get("properties", {}).items():
            if name not in required and {"type": "null"} not in field.get("anyOf", []):
                outer = {key: field.pop(key) for key in _OUTER if key in field}
                model["properties"][name] = {"anyOf": [field, {"type": "null"}], **outer}
        return described


_OUTER = ("title", "description", "default", "deprecated")
"""Keywords that say something of a field and nothing of its values."""


def _whole(text: str) -> str:
    """Return ``text`` if it is one: JSON can escape half of a surrogate pair.

    Raises:
        ValueError: it holds half a character, which no tokenizer takes.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"half a character (a lone surrogate) stands at {error.start}; correct it"
        ) from None
    return text


Text = Annotated[str, AfterValidator(_whole)]
"""A string without half characters."""


def _a_number(value: Any) -> Any:
    """Return ``value`` unless it is a string or a truth value that could be read as a number.

    Raises:
        ValueError: it is.
    """
    if isinstance(value, bool | str):
        raise ValueError("it should be a number")
    return value


Whole = Annotated[int, BeforeValidator(_a_number)]
Count = Annotated[int, Field(ge=1), BeforeValidator(_a_number)]
Share = Annotated[float, Field(ge=0, le=1), BeforeValidator(_a_number)]
Score = Annotated[float, Field(ge=0, le=5), BeforeValidator(_a_number)]


class Stated:
    """Keywords that the OpenAPI document states of values which endpoints check by themselves.

    Args:
        limits: keywords whose values are the server's: `MAX_ITEMS`, `MAX_CHARACTERS`, `DIMENSION`.
        keywords: all others.
    """

    def __init__(self, limits: dict[str, str] | None = None, **keywords: object) -> None:
        self._keywords = {**keywords, **({LIMITS: limits} if limits else {})}

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Return the schema with the keywords."""
        return {**handler(schema), **self._keywords}


LIMITS, MAX_ITEMS, MAX_CHARACTERS, DIMENSION = "x-limits", "items", "characters", "dimension"

Items = Stated({"maxItems": MAX_ITEMS}, minItems=1)
"""Of a list of things to compute."""

_SPACES = r"\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
NotBlank = Stated(pattern=f"[^{_SPACES}]")
"""Of a text: it has a character that Python does not call white space."""

Stored = Stated({"maxLength": MAX_CHARACTERS}, pattern=rf"^[^\x00]*[^\x00{_SPACES}][^\x00]*$")
"""Of a text that is kept: it is whole, no blank, and has no NUL character."""

Sentence = Annotated[Text, NotBlank]
"""A text that is no blank; the endpoint says so, and which one is."""
