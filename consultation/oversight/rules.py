"""THE RULES OF OVERSIGHT: dissent is explained and may stand; a survey publishes itself."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DissentState(StrEnum):
    RECORDED = "recorded"
    ASSIGNED = "assigned"
    EXPLAINED = "explained"
    UNDERSTOOD = "understood"
    MAINTAINED = "maintained"  # a normal end: agreement is never forced
    UNREACHABLE = "unreachable"


class Reply(StrEnum):
    UNDERSTOOD = "understood"
    MAINTAINED = "maintained"
    TALK_AGAIN = "talk_again"


class SurveyState(StrEnum):
    PLANNED = "planned"
    OPEN = "open"
    PUBLISHED = "published"


class SurveyChannel(StrEnum):
    ONLINE = "online"
    PAPER = "paper"
    ASSISTED = "assisted"


class ThemeCount(Frozen):
    theme: str
    count: int


class SurveyResult(Frozen):
    """``scores``: how many answers per score, from 1 to 5."""

    invited: int
    answers: int
    scores: list[int]
    channels: dict[str, int]
    themes: list[ThemeCount]
    sample_sufficient: bool
    low_score: bool
