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
}
"""Facts that are codes, and the enum whose words they have."""


def speak_notice(locale: str, words: str, facts: Mapping[str, Any]) -> tuple[str, str]:
    """Title and text of a notice."""
    said = {name: _fact(locale, name, value) for name, value in facts.items()}
    said.setdefault("title", "")
    return (say(locale, f"notices.{words}.title", said), say(locale, f"notices.{words}.text", said))


def write(words: str, facts: Mapping[str, Any]) -> tuple[str, str]:
    """In Chinese, for what leaves the house: it may be read over somebody's shoulder, so that a
    reply says no more than that there is one, and no home is named."""
    if "about" in facts:
        facts = {**facts, "about": say("zh-CN", "notices.reply.outside")}
    if "home" in facts:
        facts = {**facts, "home": say("zh-CN", "notices.voter_named.outside")}
    return speak_notice("zh-CN", words, facts)


def speak_at_the_door(locale: str, words: str, facts: Mapping[str, Any]) -> tuple[str, str]:
    """For the sheet: whoever carries the paper reads it too, and its receiver has no app."""
    if "about" in facts:
        facts = {**facts, "about": say(locale, "notices.reply.at_door")}
    return speak_notice(locale, words, facts)


def _fact(locale: str, name: str, value: Any) -> Any:
    if name in GROUPS and isinstance(value, str):
        key = f"words.{GROUPS[name]}.{value}"
        return say(locale, key) if key in catalogue(locale) else value
    if isinstance(value, str) and name.endswith(("_at", "_until")):
        at = datetime.fromisoformat(value)
        return until(at) if name in ENDS else minute(at)
    return value
