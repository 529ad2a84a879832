"""Content safety: WeChat's own check of texts (msgSecCheck v2) and media (mediaCheckAsync v2).

Basic detection only. It hits upon civic debate too (label 20001), so that ``review`` and ``risky``
lead to a person; nobody is silenced by what stands here.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any

from notifications.wechat.client import Wechat
from notifications.wechat.errors import Unavailable, text_of

TEXT_CHECK = "/wxa/msg_sec_check"
MEDIA_CHECK = "/wxa/media_check_async"


class Suggestion(StrEnum):
    PASS = "pass"  # noqa: S105  not a password
    REVIEW = "review"
    RISKY = "risky"


class Scene(IntEnum):
    """Where the text will stand."""

    PROFILE = 1
    COMMENT = 2
    FORUM = 3
    SOCIAL_LOG = 4


class MediaKind(IntEnum):
    AUDIO = 1
    IMAGE = 2


SEVERITY: Sequence[Suggestion] = (Suggestion.PASS, Suggestion.REVIEW, Suggestion.RISKY)


@dataclass(frozen=True, slots=True)
class Verdict:
    """``label`` is WeChat's number (100 normal, 20001 politics, …; unknown ones occur).
    ``trace_ids``: of each part of a long text."""

    suggestion: Suggestion
    label: int | None
    trace_ids: tuple[str, ...]


async def check_text(wechat: Wechat, text: str, *, openid: str, scene: Scene) -> Verdict:
    """The worst verdict on any part of ``text``. NoRecentVisit when the user has not been in the
    app of late, Unavailable when there is no verdict: neither is a pass."""
    found = [
        await _check_part(wechat, part, openid, scene)
        for part in split(text, longest=wechat.limits.text_characters)
    ]
    worst = max(found, key=lambda verdict: SEVERITY.index(verdict.suggestion))
    traces = tuple(trace for verdict in found for trace in verdict.trace_ids)
    return Verdict(worst.suggestion, worst.label, traces)


async def _check_part(wechat: Wechat, text: str, openid: str, scene: Scene) -> Verdict:
    body = {"version": 2, "openid": openid, "scene": int(scene), "content": text}
    answer = await wechat.ask_with_token(TEXT_CHECK, body=body)
    suggestion, label = verdict_in(answer)
    if suggestion is None:
        raise Unavailable(TEXT_CHECK)
    trace = answer.get("trace_id")
    return Verdict(suggestion, label, (trace,) if isinstance(trace, str) and trace else ())


def verdict_in(answer: Mapping[str, Any]) -> tuple[Suggestion | None, int | None]:
    """``result.suggest`` decides. A word that nobody knows yet is for a person to look at; none at
    all is no verdict."""
    result = answer.get("result")
    if not isinstance(result, dict) or not result.get("suggest"):
        return None, None
    try:
        suggestion = Suggestion(result["suggest"])
    except ValueError:
        suggestion = Suggestion.REVIEW
    label = result.get("label")
    return suggestion, label if isinstance(label, int) else None


_BORDER = re.compile(r"(?<=[。!?!?;;\n])")


def split(text: str, *, longest: int) -> list[str]:
    """``text`` in parts of at most ``longest`` characters, cut where sentences end if they do."""
    parts = [""]
    for sentence in _BORDER.split(text):
        if len(parts[-1]) + len(sentence) <= longest:
            parts[-1] += sentence
            continue
        if parts[-1]:
            parts.append("")
        pieces = [sentence[at : at + longest] for at in range(0, len(sentence), longest)]
        parts[-1:] = pieces or [""]
    return parts


async def check_media(
    wechat: Wechat, url: str, *, openid: str, scene: Scene, kind: MediaKind
) -> str:
    """Ask for a check of what WeChat can download at ``url`` for half an hour; returns the trace
    id under which the verdict comes as an event, within 30 minutes or never."""
    body = {
        "version": 2,
        "openid": openid,
        "scene": int(scene),
        "media_url": url,
        "media_type": int(kind),
    }
    answer = await wechat.ask_with_token(MEDIA_CHECK, body=body)
    return text_of(MEDIA_CHECK, answer, "trace_id")
