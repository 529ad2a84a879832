"""Says the phrases that the domain makes of counts and rules, in the reader's language."""

from collections.abc import Sequence

from api.words import say
from consultation.polls.wording import Phrase


def speak(locale: str, phrase: Phrase) -> str:
    facts = {
        name: speak(locale, fact) if isinstance(fact, Phrase) else fact
        for name, fact in phrase.facts.items()
    }
    return say(locale, phrase.key, facts)


def write(phrases: Sequence[Phrase]) -> str:
    """The text of a document: Chinese, one phrase a line."""
    return "\n".join(speak("zh-CN", phrase) for phrase in phrases)
