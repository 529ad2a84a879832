"""What a notice says: its words from the catalogue, its facts in the reader's language."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from api.words import catalogue, say
from consultation.calendar import ENDS, minute, until

GROUPS: Mapping[str, str] = {
    "to_state": "state",
    "role": "role",
    "verdict": "verdict",
    "about": "told",
    "form": "meeting_form",
    "bar_reason": "bar_reason",
    "roll_change": "roll_change",
}
"""Facts that are codes, and the enum whose words they have."""

PERSONAL: Mapping[str, str] = {"about": "reply", "bar_reason": "barred", "home": "voter_named"}
"""Facts that only their person may read, and the notice that has the words in their place."""


def speak_notice(locale: str, words: str, facts: Mapping[str, Any]) -> tuple[str, str]:
    """Title and text of a notice."""
    said = {name: _fact(locale, name, value) for name, value in facts.items()}
    said.setdefault("title", "")
    return (say(locale, f"notices.{words}.title", said), say(locale, f"notices.{words}.text", said))


def write(words: str, facts: Mapping[str, Any]) -> tuple[str, str]:
    """In Chinese, for what leaves the house: it may be read over somebody's shoulder, so that a
    reply says no more than that there is one, a bar not why, and no home is named."""
    return speak_notice("zh-CN", words, {**facts, **_instead("zh-CN", facts, "outside")})


def speak_at_the_door(locale: str, words: str, facts: Mapping[str, Any]) -> tuple[str, str]:
    """For the sheet: whoever carries the paper reads it too, and its receiver has no app."""
    return speak_notice(locale, words, {**facts, **_instead(locale, facts, "at_door")})


def _instead(locale: str, facts: Mapping[str, Any], place: str) -> dict[str, str]:
    """What is said at a place in place of the facts that are the person's own."""
    return {
        name: say(locale, f"notices.{words}.{place}")
        for name, words in PERSONAL.items()
        if name in facts
    }


def _fact(locale: str, name: str, value: Any) -> Any:
    if name in GROUPS and isinstance(value, str):
        key = f"words.{GROUPS[name]}.{value}"
        return say(locale, key) if key in catalogue(locale) else value
    if isinstance(value, str) and name.endswith(("_at", "_until")):
        at = datetime.fromisoformat(value)
        return until(at) if name in ENDS else minute(at)
    return value
