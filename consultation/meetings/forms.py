"""The forms of a sitting as data: what each needs to be called, opened and closed."""

import tomllib
from functools import cache
from importlib import resources

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from consultation.community.tables import OrgKind
from consultation.meetings.rules import Form, Quorum


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Party(Frozen):
    """An organisation whose representative must be present, and the group it is listed as."""

    kind: OrgKind
    name: str = Field(min_length=1, max_length=40)


class FormTerms(Frozen):
    parties: list[Party] = Field(default_factory=list)
    quorum: Quorum | None = None
    materials: bool = False
    selection: bool = False
    all_heard: bool = False
    show_hands: bool = False


@cache
def forms() -> dict[Form, FormTerms]:
    """Every form that is a sitting; ``online_deliberation`` is none."""
    text = resources.files("consultation.meetings").joinpath("forms.toml").read_text("utf-8")
    return TypeAdapter(dict[Form, FormTerms]).validate_python(tomllib.loads(text))
