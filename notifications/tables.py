"""What people are owed and have got: inbox, deliveries beyond it, digest, settings, budget."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, Index, text
from sqlmodel import Field

from consultation.columns import (
    EnumText,
    Row,
    UtcDateTime,
    choice,
    flag,
    key,
    maybe_ref,
    maybe_when,
    ref,
    when,
)
from notifications.audience import Urgency, Who
from notifications.policy import Channel


class Notice(Row, table=True):
    """One notice in one person's inbox. ``dedupe_key`` is event and person (or the day of a
    digest): the database refuses the second one. ``facts`` are what the words need, as the event
    had them, with the topic's title. ``poll_id`` names the poll of which it is the notice that the
    ledger must prove. ``fetched_at``: the person's own client has got it;
    ``read_at``: they opened it."""

    __table_args__ = (
        Index("ix_notice_person_created", "person_id", "created_at", "id"),
        Index("ix_notice_poll_person", "poll_id", "person_id"),
    )

    id: UUID = key()
    dedupe_key: str = Field(max_length=120, unique=True)
    event_id: UUID | None = None
    person_id: UUID = ref("person.id", index=False)
    community_id: UUID | None = maybe_ref("node.id")
    words: str = Field(max_length=40)
    urgency: Urgency = choice(Urgency)
    facts: dict[str, Any] = Field(sa_type=JSON, nullable=False)
    topic_id: UUID | None = maybe_ref("topic.id")
    poll_id: UUID | None = maybe_ref("poll.id")
    created_at: datetime = when()
    fetched_at: datetime | None = maybe_when()
    read_at: datetime | None = maybe_when()


class Inbox(Row, table=True):
    """How many notices a person has not read: kept, so that asking counts nothing."""

    person_id: UUID = ref("person.id", primary_key=True)
    unread: int = 0


class DeliveryState(StrEnum):
    WAITING = "waiting"  # for its time, for a retry, or on the sheet for a visit
    SENT = "sent"  # taken over by the provider, or handed over by a person
    SEEN = "seen"  # not sent: the person had it in the app before
    IMPOSSIBLE = "impossible"  # the person is not reached that way, or does not want to be
    NO_BUDGET = "no_budget"  # the week was full
    OBSOLETE = "obsolete"  # not sent: the poll had closed, or the person is off its roll
    DEAD = "dead"  # given up after the last attempt, or our own fault: an operator looks


class Delivery(Row, table=True):
    """One notice on one channel beyond the inbox, at most one row for each. ``next_try`` is when
    it is due; ``lease_until`` keeps it to one sender. ``charged`` is the week whose budget it is
    counted in. ``dedupe_key`` goes to the provider with every attempt."""

    __table_args__ = (
        Index(
            "ix_delivery_due",
            "channel",
            "urgency",
            "next_try",
            "id",
            sqlite_where=text("state = 'waiting' AND channel <> 'printed'"),
            postgresql_where=text("state = 'waiting' AND channel <> 'printed'"),
        ),
        Index("ix_delivery_grid", "grid_id", "state", "created_at", "id"),
        Index("ix_delivery_state", "community_id", "state", "created_at", "id"),
    )

    id: UUID = key()
    dedupe_key: str = Field(max_length=60, unique=True)  # {notice}:{channel}
    notice_id: UUID = ref("notice.id")
    person_id: UUID = ref("person.id")
    community_id: UUID | None = maybe_ref("node.id")
    channel: Channel = choice(Channel)
    chain: str = Field(max_length=20)
    step: int
    urgency: Urgency = choice(Urgency)  # of its notice: what is urgent goes first
    state: DeliveryState = choice(DeliveryState)
    attempts: int = 0
    next_try: datetime = when()
    lease_until: datetime | None = maybe_when()
    charged: date | None = None
    grid_id: UUID | None = maybe_ref("node.id")
    done_at: datetime | None = maybe_when()
    reference: str | None = Field(default=None, max_length=120)
    last_error: str | None = Field(default=None, max_length=60)
    created_at: datetime = when()


class TopicNews(Row, table=True):
    """In this hour something happened on a topic that belongs into a digest of its followers, or
    of the whole community. Who they are is asked when the digest is made, so that an event costs
    the same however many follow."""

    topic_id: UUID = ref("topic.id", primary_key=True)
    who: Who = Field(primary_key=True, sa_type=EnumText(Who))
    hour: datetime = Field(primary_key=True, sa_type=UtcDateTime, index=True)
    community_id: UUID = ref("node.id")


class Digested(Row, table=True):
    """Up to when the digests of a community have told a person."""

    person_id: UUID = ref("person.id", primary_key=True)
    community_id: UUID = ref("node.id", primary_key=True)
    told_to: datetime = when()


class NoticeSettings(Row, table=True):
    """What a person chose; no row means all channels and the usual hour. The inbox is always on."""

    person_id: UUID = ref("person.id", primary_key=True)
    wechat: bool = flag(default=True)
    sms: bool = flag(default=True)
    digest: bool = flag(default=True)
    digest_hour: int | None = Field(default=None, index=True)


class WeekBudget(Row, table=True):
    """Messages beyond the inbox that went or are going to a person in the week from ``monday``."""

    person_id: UUID = ref("person.id", primary_key=True)
    monday: date = Field(primary_key=True)
    spent: int = 0
