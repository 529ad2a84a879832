"""Base classes of what travels. Bodies refuse unknown fields; rows never travel themselves."""

import unicodedata
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

UNPRINTABLE = "unprintable_text"
"""The ``problem`` of a field that holds what nobody can see."""
_ALLOWED = frozenset("\n\r\t\u200d")
"""Line breaks and tabs of longer texts; and the joiner, of which many emoji are made."""
_INVISIBLE = frozenset({"Cc", "Cf"})


class WireIn(BaseModel):
    """Text holds no control characters and none that are invisible or turn the direction of what
    is read: what people are shown is what is stored, and hashed."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    @model_validator(mode="before")
    @classmethod
    def _can_be_seen(cls, content: Any) -> Any:
        error = PydanticCustomError(UNPRINTABLE, "holds characters that cannot be seen")
        problems = [
            InitErrorDetails(type=error, loc=where, input=None) for where in _unprintable(content)
        ]
        if problems:
            raise ValidationError.from_exception_data(cls.__name__, problems)
        return content


def one_line(text: str) -> str:
    if any(mark in text for mark in "\n\r\t"):
        raise PydanticCustomError("line_break", "is not one line")
    return text


Line = Annotated[str, AfterValidator(one_line)]


class WireOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)


def _unprintable(content: Any, *where: str | int) -> Iterator[tuple[str | int, ...]]:
    if isinstance(content, str):
        if not content.isprintable() and any(map(_cannot_be_seen, content)):
            yield where
    elif isinstance(content, dict):
        for name, part in content.items():
            yield from _unprintable(part, *where, name)
    elif isinstance(content, list):
        for index, part in enumerate(content):
            yield from _unprintable(part, *where, index)


def _cannot_be_seen(character: str) -> bool:
    return character not in _ALLOWED and unicodedata.category(character) in _INVISIBLE
