"""The papers of a meeting, written out in Chinese: they are documents, not messages. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from consultation.calendar import SHANGHAI
from consultation.meetings.minutes_rules import MinutesContent

NUMERALS = "一二三四五六七八九"


def moment(at: datetime) -> str:
    """2026年5月23日19:00, in Shanghai."""
    local = at.astimezone(SHANGHAI)
    return f"{local.year}年{local.month}月{local.day}日{local:%H:%M}"


def notice(
    *,
    title: str,
    topic: str,
    starts_at: datetime,
    place: str,
    online: bool,
    host: str,
    groups: Sequence[str],
    agenda: str,
    selection: str,
) -> str:
    lines = [
        f"现就“{topic}”召开{title},有关事项公告如下。",
        f"时间:{moment(starts_at)}",
        f"地点:{place}{'(可线上参加)' if online else ''}",
        f"主持:{host}",
        f"邀请参加:{'、'.join(groups)}",
    ]
    if agenda:
        lines.append(f"议程:{agenda}")
    if selection:
        lines.append(f"参加人员产生方式:{selection}")
    lines.append("不能到会的,可以提交书面意见,与到会发言同等记入纪要。")
    return "\n".join(lines)


def cancellation(*, title: str, topic: str, starts_at: datetime, reason: str) -> str:
    return f"原定{moment(starts_at)}就“{topic}”召开的{title}取消。原因:{reason}"


@dataclass(frozen=True, slots=True)
class GroupLine:
    name: str
    present: int
    absence_note: str | None


def minutes(
    *,
    topic: str,
    opened_at: datetime,
    closed_at: datetime,
    place: str,
    online: bool,
    host: str,
    recorder: str,
    present: int,
    written: int,
    groups: Sequence[GroupLine],
    hands: Sequence[str],
    content: MinutesContent,
    objections: Sequence[str],
) -> str:
    """协商纪要, with attendance by group and never by name; what those present still object to is
    annexed word for word."""
    came = [f"{group.name}{group.present}人" for group in groups if group.present]
    missing = [
        f"{group.name}({group.absence_note})" for group in groups if group.absence_note is not None
    ]
    head = [
        f"议题:{topic}",
        f"时间:{moment(opened_at)}至{moment(closed_at)}",
        f"地点:{place}{',同步线上' if online else ''}",
        f"主持:{host};记录:{recorder}",
        f"到会{present}人,书面意见{written}人" + (f":{'、'.join(came)}" if came else ""),
    ]
    if missing:
        head.append(f"缺席:{'、'.join(missing)}")
    parts = [
        ("会议情况", [content.summary]),
        ("赞成意见", content.points_for),
        ("反对意见", content.points_against),
        ("达成一致的事项", content.agreed),
        ("未达成一致的事项", content.disagreed),
        ("举手情况", hands),
        ("下一步", content.next_steps),
        ("到会人员对纪要的保留意见(原文)", objections),
    ]
    filled = [(name, texts) for name, texts in parts if texts]
    body = [
        line
        for number, (name, texts) in enumerate(filled)
        for line in (f"{NUMERALS[number]}、{name}", *_numbered(texts))
    ]
    return "\n".join([*head, *body])


def _numbered(texts: Sequence[str]) -> list[str]:
    return list(texts) if len(texts) == 1 else [f"{n}.{text}" for n, text in enumerate(texts, 1)]
