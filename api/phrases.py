"""Says the phrases that the domain makes of counts and rules, in the reader's language."""

from collections.abc import Sequence
from typing import Any

from api.words import say
from consultation.polls.phrases import Fact, Phrase


def speak(locale: str, phrase: Phrase) -> str:
    facts = {name: _spoken(locale, fact) for name, fact in phrase.facts.items()}
    return say(locale, phrase.key, facts)


def _spoken(locale: str, fact: Fact) -> Any:
    if isinstance(fact, Phrase):
        return speak(locale, fact)
    return [_spoken(locale, one) for one in fact] if isinstance(fact, list) else fact


def write(phrases: Sequence[Phrase]) -> str:
    """The text of a document: Chinese, one phrase a line."""
    return "\n".join(speak("zh-CN", phrase) for phrase in phrases)
