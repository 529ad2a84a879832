"""The digest: once a day, one notice about all topics of a community on which something happened
that is worth a line and no more.

Nothing is written for a person when it happens. A job of the community, at each hour that somebody
chose, asks who follows what has had news since their last digest. Who never opened the app gets
none: nobody would read it.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import delete, literal, union
from sqlalchemy import select as sa_select
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlmodel import col, func, or_, select

from consultation.calendar import local_day
from consultation.columns import UtcDateTime
from consultation.community.tables import Residence
from consultation.database import Transaction
from consultation.topics.tables import Follow, Topic
from notifications.accounts import ACCOUNTS
from notifications.audience import DIGEST_WORDS, Urgency, Who
from notifications.debts import add_notices, ask_for_digest, hours_in_use
from notifications.policy import policy
from notifications.tables import Digested, NoticeSettings, TopicNews

KEPT = timedelta(days=8)
"""So long news waits for a digest: for people who never had one, or whose day has had its one."""
TITLES = 3
"""Topics that a digest names; the rest it counts."""


async def make_digest(tx: Transaction, community_id: UUID) -> None:
    """Make what is due in a community at any hour that somebody chose, and ask for the next."""
    hours = await hours_in_use(tx)
    for hour in sorted(hours):
        to = policy().last_digest(tx.now, hour)
        await _make(tx, community_id, hour, to)
    await tx.session.exec(
        delete(TopicNews).where(
            col(TopicNews.community_id) == community_id, col(TopicNews.hour) < tx.now - KEPT
        )
    )
    # everybody's next digest lies within a day: while there is news that young, somebody waits
    recent = tx.now - timedelta(days=1) - policy().digest.settles
    waiting = await tx.session.exec(
        select(TopicNews.topic_id)
        .where(TopicNews.community_id == community_id, col(TopicNews.hour) >= recent)
        .limit(1)
    )
    if waiting.first() is not None:
        await ask_for_digest(tx, community_id, policy().next_digest(tx.now, hours))


async def _make(tx: Transaction, community_id: UUID, hour: int, to: datetime) -> None:
    """The digests of everybody whose hour this is: what happened before ``to``, since the last."""
    by_person: dict[UUID, list[tuple[str, UUID]]] = {}
    for person_id, topic_id, title in await tx.session.exec(_news(community_id, hour, to)):
        by_person.setdefault(person_id, []).append((title, topic_id))
    if not by_person:
        return
    day = local_day(tx.now)  # one a day, also after the hour was changed
    notices = [
        {
            "id": tx.new_id(),
            "dedupe_key": f"digest {community_id} {day} {person_id}",
            "event_id": None,
            "person_id": person_id,
            "community_id": community_id,
            "words": DIGEST_WORDS,
            "urgency": Urgency.DIGEST,
            "facts": _facts(topics),
            "topic_id": topics[0][1] if len(topics) == 1 else None,
            "poll_id": None,
            "created_at": tx.now,
        }
        for person_id, topics in sorted(by_person.items())
    ]
    added = await add_notices(tx, notices, dict.fromkeys((n["id"] for n in notices), "digest"))
    told = [n["person_id"] for n in notices if n["id"] in added]
    await _digested(tx, told, community_id, to)


def _facts(topics: list[tuple[str, UUID]]) -> dict[str, Any]:
    titles = sorted(title for title, _ in topics)
    return {
        "title": titles[0],
        "titles": titles[:TITLES],
        "topics": len(titles),
        "topic_ids": [str(topic_id) for _, topic_id in sorted(topics)],
    }


def _news(community_id: UUID, hour: int, to: datetime) -> Any:
    """(person, topic, title) of all that this hour's people have not been told yet."""
    chosen = func.coalesce(NoticeSettings.digest_hour, policy().digest.hour)
    since = func.coalesce(col(Digested.told_to), literal(to - KEPT, UtcDateTime))

    def told(person: Any, who: Who, *joined: Any) -> Any:
        query = sa_select(person.label("person_id"), col(TopicNews.topic_id)).select_from(TopicNews)
        for table, condition in joined:
            query = query.join(table, condition)
        return (
            query.outerjoin(NoticeSettings, col(NoticeSettings.person_id) == person)
            .outerjoin(
                Digested,
                (col(Digested.person_id) == person) & (col(Digested.community_id) == community_id),
            )
            .where(
                col(TopicNews.community_id) == community_id,
                col(TopicNews.who) == who,
                col(TopicNews.hour) < to,
                col(TopicNews.hour) >= since,
                chosen == hour,
                or_(col(NoticeSettings.digest).is_(None), col(NoticeSettings.digest).is_(True)),
                person.in_(sa_select(ACCOUNTS.c.person_id)),
            )
        )

    gone = (
        sa_select(literal(1))
        .where(
            col(Follow.topic_id) == col(Topic.id),
            col(Follow.person_id) == col(Topic.author_id),
            col(Follow.ended).is_(True),
        )
        .exists()
    )
    follow = (
        (col(Follow.topic_id) == col(TopicNews.topic_id))
        & col(Follow.ended).is_(False)
        & col(Follow.by_roll).is_(False)
    )
    author = (col(Topic.id) == col(TopicNews.topic_id)) & ~gone
    member = (col(Residence.community_id) == col(TopicNews.community_id)) & (
        col(Residence.level) >= 2
    )
    everybody = union(
        told(col(Follow.person_id), Who.FOLLOWERS, (Follow, follow)),
        told(col(Topic.author_id), Who.FOLLOWERS, (Topic, author)),
        told(col(Residence.person_id), Who.COMMUNITY, (Residence, member)),
    ).subquery()
    return (
        sa_select(everybody.c.person_id, everybody.c.topic_id, col(Topic.title))
        .join(Topic, col(Topic.id) == everybody.c.topic_id)
        .order_by(everybody.c.person_id, col(Topic.title))
    )


async def _digested(
    tx: Transaction, people: Collection[UUID], community_id: UUID, to: datetime
) -> None:
    if not people:
        return
    connection = await tx.session.connection()
    insert: Any = sqlite_insert if connection.dialect.name == "sqlite" else pg_insert
    await connection.execute(
        insert(Digested).on_conflict_do_update(
            index_elements=["person_id", "community_id"], set_={"told_to": literal(to, UtcDateTime)}
        ),
        [{"person_id": one, "community_id": community_id, "told_to": to} for one in people],
    )
