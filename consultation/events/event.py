"""What an event is, and the four kinds of it by where they are told."""

from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any, ClassVar
from uuid import UUID

from consultation.events.streams import community_stream, poll_stream, topic_stream, user_stream


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    type: ClassVar[str] = ""
    addressing: ClassVar[frozenset[str]] = frozenset({"community_id", "person_id", "public"})

    community_id: UUID | None

    def streams(self) -> list[str]:
        """Where it is told; every kind says so."""
        raise NotImplementedError

    def data(self) -> dict[str, Any]:
        """The public payload: all fields but those that only address it."""
        return {
            f.name: _plain(getattr(self, f.name))
            for f in fields(self)
            if f.name not in self.addressing
        }


def _plain(value: Any) -> Any:
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicEvent(Event):
    """Something on a topic. ``public`` events also reach the community's own stream."""

    topic_id: UUID
    public: bool = True

    def streams(self) -> list[str]:
        home = [topic_stream(self.topic_id)]
        if self.public and self.community_id is not None:
            home.append(community_stream(self.community_id))
        return home


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicDetail(TopicEvent):
    """Something inside a topic that the community's list need not know."""

    def streams(self) -> list[str]:
        return [topic_stream(self.topic_id)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PollEvent(Event):
    topic_id: UUID
    poll_id: UUID

    def streams(self) -> list[str]:
        return [poll_stream(self.poll_id), topic_stream(self.topic_id)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PollStep(PollEvent):
    """What the list of topics shows of a poll: it reaches the community's own stream as well."""

    def streams(self) -> list[str]:
        home = PollEvent.streams(self)
        if self.community_id is not None:
            home.append(community_stream(self.community_id))
        return home


@dataclass(frozen=True, slots=True, kw_only=True)
class UserEvent(Event):
    person_id: UUID

    def streams(self) -> list[str]:
        return [user_stream(self.person_id)]
