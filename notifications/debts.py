"""From numbered events to what is owed: called by the relay in the transaction that numbers them.

An event costs one statement for who is told, and a batch of events a few more for all that is
written, however many people are told. What goes wrong here never keeps an event from being
numbered: it is left to a job, which tries until it is paid.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

import structlog
from sqlalchemy import insert
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlmodel import col, select

from consultation.community.tables import Node
from consultation.database import Transaction
from consultation.events.event import Event, PollEvent, TopicEvent, UserEvent
from consultation.events.every import every_event
from consultation.events.people import NoticeAdded
from consultation.jobs import JobKind, schedule
from consultation.journal import Entry, JournalEntry
from consultation.permissions import Role
from consultation.topics.tables import Topic
from notifications.accounts import with_account
from notifications.audience import AUDIENCE, Told, Urgency
from notifications.policy import Channel, policy
from notifications.recipients import Occasion, lies_below, recipients
from notifications.tables import Delivery, DeliveryState, Inbox, Notice, NoticeSettings, TopicNews

log = structlog.get_logger("minyi")


def _home(kind: type[Event]) -> str:
    """The kind of stream, of several that an event is on, on which it is taken up here."""
    for base, name in ((UserEvent, "user"), (PollEvent, "poll"), (TopicEvent, "topic")):
        if issubclass(kind, base):
            return name
    return "community"


HOMES: Mapping[str, str] = {kind.type: _home(kind) for kind in every_event()}


def is_owed(entry: Entry) -> bool:
    """Somebody is told of it, and this is the one of its entries that says so."""
    home = HOMES.get(entry.type)
    return bool(AUDIENCE.get(entry.type)) and entry.stream.partition(":")[0] == home


async def owe(tx: Transaction, entries: Sequence[Entry]) -> int:
    """Write down what these entries owe, or have a job do so; how many notices came of it."""
    owed = [entry for entry in entries if is_owed(entry)]
    if not owed:
        return 0
    try:
        async with tx.session.begin_nested():
            return await incur(tx, owed)
    except Exception as error:
        log.error("debts", entries=len(owed), error_type=type(error).__name__)
        for entry in owed:
            await schedule(
                tx, JobKind.OWE_NOTICES, entry.event_id, tx.now, community_id=entry.community_id
            )
        return 0


async def owe_event(tx: Transaction, event_id: UUID) -> None:
    """A job's second try, for one event."""
    rows = await tx.session.exec(select(JournalEntry).where(JournalEntry.event_id == event_id))
    await incur(tx, [entry for entry in rows if is_owed(entry)])


@dataclass(frozen=True, slots=True)
class _Owed:
    """An entry with what it is about and the rows of the audience that fit it."""

    entry: Entry
    topic: Topic | None
    below: bool
    told: list[Told]


async def incur(tx: Transaction, entries: Sequence[Entry]) -> int:
    owed = await _looked_up(tx, entries)
    await _note_news(tx, owed)
    notices: list[dict[str, Any]] = []
    chains: dict[UUID, str] = {}
    for one in owed:
        told = await recipients(tx, _occasion(one))
        for person_id, row in told.items():
            notice = _notice(tx, one, person_id, row)
            notices.append(notice)
            chains[notice["id"]] = row.chain
    return len(await add_notices(tx, notices, chains))


async def _looked_up(tx: Transaction, entries: Sequence[Entry]) -> list[_Owed]:
    ids = {id for entry in entries if (id := _id(entry, "topic_id", "topic")) is not None}
    topics: dict[UUID, tuple[Topic, Node]] = {}
    if ids:
        rows = await tx.session.exec(
            select(Topic, Node)
            .join(Node, col(Node.id) == col(Topic.node_id))
            .where(col(Topic.id).in_(ids))
        )
        topics = {topic.id: (topic, place) for topic, place in rows}
    found = []
    for entry in entries:
        topic, place = topics.get(_id(entry, "topic_id", "topic") or entry.event_id, (None, None))
        told = [row for row in AUDIENCE[entry.type] if row.fits(entry.data)]
        if told:
            found.append(_Owed(entry, topic, place is not None and lies_below(place), told))
    return found


def _id(entry: Entry, field: str, stream: str) -> UUID | None:
    text = entry.data.get(field)
    if text is None and entry.stream.startswith(f"{stream}:"):
        text = entry.stream.partition(":")[2]
    return None if text is None else UUID(text)


def _occasion(one: _Owed) -> Occasion:
    return Occasion(
        told=[row for row in one.told if row.urgency is not Urgency.DIGEST],
        person_id=_id(one.entry, "person_id", "user"),
        topic=one.topic,
        below=one.below,
        poll_id=_id(one.entry, "poll_id", "poll"),
        task_id=_id(one.entry, "task_id", "task"),
        actor_id=one.entry.actor_id,
    )


def _notice(tx: Transaction, one: _Owed, person_id: UUID, row: Told) -> dict[str, Any]:
    """The id follows from event and person, so that whoever writes it twice writes the same."""
    entry = one.entry
    facts = {} if one.topic is None else {"title": one.topic.title}
    return {
        "id": uuid5(entry.event_id, person_id.hex),
        "dedupe_key": f"{entry.event_id}:{person_id}",
        "event_id": entry.event_id,
        "person_id": person_id,
        "community_id": entry.community_id,
        "words": row.words,
        "urgency": row.urgency,
        "facts": facts | {"event": entry.type} | entry.data,
        "topic_id": None if one.topic is None else one.topic.id,
        "poll_id": _id(entry, "poll_id", "poll") if row.serves else None,
        "created_at": tx.now,
    }


# ---- digests ------------------------------------------------------------------------------


async def _note_news(tx: Transaction, owed: Sequence[_Owed]) -> None:
    """Something for the digests of this hour. What happened is not kept: the topic tells."""
    hour = tx.now.replace(minute=0, second=0, microsecond=0)
    news = {
        (one.topic.id, row.who): one.topic.community_id
        for one in owed
        for row in one.told
        if one.topic is not None and row.urgency is Urgency.DIGEST
    }
    if not news:
        return
    insert: Any = sqlite_insert if tx.session.get_bind().dialect.name == "sqlite" else pg_insert
    rows = [
        {"topic_id": topic_id, "who": who, "hour": hour, "community_id": community_id}
        for (topic_id, who), community_id in news.items()
    ]
    done = await tx.session.exec(insert(TopicNews).values(rows).on_conflict_do_nothing())
    if not done.rowcount:  # the hour has news of these topics already, and its digest a job
        return
    due = policy().next_digest(tx.now, await hours_in_use(tx))
    for community_id in sorted(set(news.values())):
        await ask_for_digest(tx, community_id, due)


async def hours_in_use(tx: Transaction) -> set[int]:
    """The hours at which somebody gets a digest."""
    rows = await tx.session.exec(
        select(NoticeSettings.digest_hour)
        .where(col(NoticeSettings.digest_hour).is_not(None))
        .distinct()
    )
    return {policy().digest.hour, *(hour for hour in rows if hour is not None)}


async def ask_for_digest(tx: Transaction, community_id: UUID, due: Any) -> None:
    await schedule(
        tx,
        JobKind.MAKE_DIGEST,
        community_id,
        due,
        community_id=community_id,
        occasion=due.isoformat(),
    )


# ---- writing ------------------------------------------------------------------------------


async def add_notices(
    tx: Transaction, notices: Sequence[dict[str, Any]], chains: Mapping[UUID, str]
) -> set[UUID]:
    """Put notices into inboxes, count them, tell the live clients, and owe the first step of each
    chain; the ids of those that were not there yet. A few statements for all of them."""
    if not notices:
        return set()
    connection = await tx.session.connection()
    upsert: Any = sqlite_insert if connection.dialect.name == "sqlite" else pg_insert
    statement = (
        upsert(Notice)
        .on_conflict_do_nothing(index_elements=["dedupe_key"])
        .returning(col(Notice.id))
    )
    added = set((await connection.execute(statement, list(notices))).scalars())
    new = sorted((one for one in notices if one["id"] in added), key=lambda one: one["person_id"])
    if not new:
        return added

    unread: dict[UUID, int] = {}
    for one in new:
        unread[one["person_id"]] = unread.get(one["person_id"], 0) + 1
    count = upsert(Inbox)
    await connection.execute(
        count.on_conflict_do_update(
            index_elements=["person_id"], set_={"unread": col(Inbox.unread) + count.excluded.unread}
        ),
        [{"person_id": person, "unread": more} for person, more in unread.items()],
    )
    await connection.execute(insert(JournalEntry), [_added(tx, one) for one in new])
    accounts = await with_account(tx, unread)
    deliveries = [
        delivery
        for one in new
        if (delivery := first_step(tx, one, chains[one["id"]], one["person_id"] in accounts))
    ]
    if deliveries:
        await connection.execute(insert(Delivery), deliveries)
    return added


def _added(tx: Transaction, one: Mapping[str, Any]) -> dict[str, Any]:
    """The event for the person's own stream, as ``tx.emit`` would write it, for many at once."""
    event = NoticeAdded(
        community_id=one["community_id"],
        person_id=one["person_id"],
        notice_id=one["id"],
        template=one["words"],
        topic_id=one["topic_id"],
    )
    return {
        "event_id": tx.new_id(),
        "stream": event.streams()[0],
        "type": event.type,
        "at": tx.now,
        "community_id": event.community_id,
        "actor_role": Role.SYSTEM.value,
        "data": event.data(),
    }


def first_step(
    tx: Transaction, notice: Mapping[str, Any], chain: str, has_account: bool
) -> dict[str, Any] | None:
    """The first delivery of a chain, at the time that the chain gives the inbox; less where a vote
    closes soon. Most people of a register have no account: for them WeChat is passed over, and
    nothing is owed by a chain that knows no other way."""
    steps = policy().chains[chain].steps
    ways = (step for step, way in enumerate(steps) if has_account or way.channel != Channel.WECHAT)
    first = next(ways, None)
    if first is None:
        return None
    closes_at = None if notice["poll_id"] is None else notice["facts"].get("closes_at")
    return delivery(
        tx,
        notice_id=notice["id"],
        person_id=notice["person_id"],
        community_id=notice["community_id"],
        chain=chain,
        step=first,
        urgency=notice["urgency"],
        next_try=policy().first_try(
            chain, tx.now, None if closes_at is None else datetime.fromisoformat(closes_at)
        ),
    )


def delivery(
    tx: Transaction,
    *,
    notice_id: UUID,
    person_id: UUID,
    community_id: UUID | None,
    chain: str,
    step: int,
    urgency: Urgency,
    next_try: Any,
    grid_id: UUID | None = None,
) -> dict[str, Any]:
    channel = policy().chains[chain].steps[step].channel
    return {
        "id": tx.new_id(),
        "dedupe_key": f"{notice_id}:{channel}",
        "notice_id": notice_id,
        "person_id": person_id,
        "community_id": community_id,
        "channel": channel,
        "chain": chain,
        "step": step,
        "urgency": urgency,
        "state": DeliveryState.WAITING,
        "attempts": 0,
        "next_try": next_try,
        "grid_id": grid_id,
        "created_at": tx.now,
    }
