"""SQL on used parts and the consent of their owners."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import aliased
from sqlmodel import col, exists, select

from consultation.community.tables import Ownership, Person, PropertyUnit
from consultation.database import Transaction
from consultation.events.people import PartConsentAsked
from consultation.events.streams import user_stream
from consultation.journal import JournalEntry
from consultation.outcomes.part_rules import WHILE, UsedPart, missing_consents
from consultation.outcomes.part_tables import PartConsent, UsedParts
from consultation.permissions import Deed, Grant, grant_of
from consultation.polls.presets import Condition
from consultation.polls.rules import PollState
from consultation.polls.tables import Poll
from consultation.topics.queries import access_topic
from consultation.topics.tables import Topic


@dataclass(frozen=True, slots=True)
class OwnerView:
    """An owner of a used part. ``answer`` is None until they say something to its present words."""

    id: UUID
    name: str  # masked
    answer: bool | None
    at: datetime | None


@dataclass(frozen=True, slots=True)
class PartView:
    unit_id: UUID
    code: str
    use: str
    digest: str
    owners: list[OwnerView]


@dataclass(frozen=True, slots=True)
class PartsSeen:
    """``total`` parts are used; ``parts`` are those the actor may see, with the answers that the
    actor may see. ``missing`` is None for who does not plan or oversee the work."""

    asked: bool
    version: int | None
    total: int
    missing: int | None
    parts: list[PartView]


async def used_parts(tx: Transaction, topic_id: UUID) -> PartsSeen:
    """All of it for who plans or oversees the work; an owner sees the own parts and answers: who
    has not agreed is nobody else's business."""
    topic = await access_topic(tx, topic_id, Deed.READ_PUBLIC)
    row = await declared(tx, topic)
    if row is None:
        return PartsSeen(await consent_asked(tx, topic), None, 0, None, [])
    seen = await views(tx, topic, row.parts)
    whole = _plans_or_oversees(tx, topic)
    if not whole:
        seen = [
            replace(view, owners=own)
            for view in seen
            if (own := [owner for owner in view.owners if owner.id == tx.actor.person_id])
        ]
    waits = _missing(row.parts, seen) if whole else None
    return PartsSeen(True, row.version, len(row.parts), waits, seen)


def _plans_or_oversees(tx: Transaction, topic: Topic) -> bool:
    plans = grant_of(Deed.PLAN_TASKS, tx.standing.role)
    return (
        plans is Grant.YES
        or (plans is Grant.OWN and topic.commissioning_org_id == tx.standing.org_id)
        or grant_of(Deed.SUPERVISE, tx.standing.role) is not None
    )


async def consent_asked(tx: Transaction, topic: Topic) -> bool:
    """Whether what was voted on in this round asks for the consent of whose part is used."""
    found = await tx.session.exec(
        select(Poll).where(
            Poll.topic_id == topic.id, Poll.round == topic.round, Poll.state != PollState.VOIDED
        )
    )
    return any(Condition.CONSENT_OF_USED_PARTS in poll.preset.conditions for poll in found)


async def declared(tx: Transaction, topic: Topic) -> UsedParts | None:
    """What stands: the latest version of this round."""
    found = await tx.session.exec(
        select(UsedParts)
        .where(UsedParts.topic_id == topic.id, UsedParts.round == topic.round)
        .order_by(col(UsedParts.version).desc())
        .limit(1)
    )
    return found.first()


async def waiting_topics(tx: Transaction, community_id: UUID) -> list[UUID]:
    """Topics of the community whose present round has said which parts the work uses, and whose
    work has not begun."""
    found = await tx.session.exec(
        select(Topic.id)
        .where(
            Topic.community_id == community_id,
            col(Topic.state).in_(WHILE),
            exists().where(
                col(UsedParts.topic_id) == col(Topic.id), col(UsedParts.round) == col(Topic.round)
            ),
        )
        .order_by(col(Topic.id))
    )
    return list(found)


async def asked(tx: Transaction, topic: Topic, views: Sequence[PartView]) -> set[tuple[UUID, UUID]]:
    """(unit, owner) of those who were asked since the present words were first declared in this
    round, as the journal has it."""
    versions = await tx.session.exec(
        select(UsedParts)
        .where(UsedParts.topic_id == topic.id, UsedParts.round == topic.round)
        .order_by(col(UsedParts.version))
    )
    said_first: dict[str, datetime] = {}
    for version in versions:
        for part in version.parts:
            said_first.setdefault(part.digest, version.at)
    owners = {user_stream(owner.id): owner.id for view in views for owner in view.owners}
    rows = await tx.session.exec(
        select(JournalEntry.stream, JournalEntry.at, JournalEntry.data).where(
            col(JournalEntry.stream).in_(owners), JournalEntry.type == PartConsentAsked.type
        )
    )
    since = {str(view.unit_id): (view.unit_id, said_first[view.digest]) for view in views}
    found: set[tuple[UUID, UUID]] = set()
    for stream, at, data in rows:
        unit_id, first = since.get(data["unit_id"], (None, at))
        if data["topic_id"] == str(topic.id) and unit_id is not None and at >= first:
            found.add((unit_id, owners[stream]))
    return found


async def owners_by_code(
    tx: Transaction, community_id: UUID, codes: Collection[str]
) -> dict[str, tuple[UUID, list[UUID]]]:
    """By code, the unit and its owners; codes without owners, or of no unit, are missing."""
    rows = await tx.session.exec(
        select(PropertyUnit.code, PropertyUnit.id, Ownership.person_id)
        .join(Ownership, col(Ownership.unit_id) == col(PropertyUnit.id))
        .where(PropertyUnit.community_id == community_id, col(PropertyUnit.code).in_(codes))
    )
    found: dict[str, tuple[UUID, list[UUID]]] = {}
    for code, unit_id, owner in rows:
        found.setdefault(code, (unit_id, []))[1].append(owner)
    return found


async def answers(tx: Transaction, topic: Topic) -> list[PartConsent]:
    """The last take of each owner and part."""
    later = aliased(PartConsent)
    found = await tx.session.exec(
        select(PartConsent).where(
            PartConsent.topic_id == topic.id,
            ~exists().where(
                col(later.topic_id) == col(PartConsent.topic_id),
                col(later.unit_id) == col(PartConsent.unit_id),
                col(later.owner_id) == col(PartConsent.owner_id),
                col(later.take) > col(PartConsent.take),
            ),
        )
    )
    return list(found)


async def views(tx: Transaction, topic: Topic, parts: Sequence[UsedPart]) -> list[PartView]:
    """The parts with their present owners and what these say, in the order of the codes."""
    rows = (
        await tx.session.exec(
            select(PropertyUnit.id, PropertyUnit.code, Person.id, Person.masked_name)
            .join(Ownership, col(Ownership.unit_id) == col(PropertyUnit.id), isouter=True)
            .join(Person, col(Person.id) == col(Ownership.person_id), isouter=True)
            .where(col(PropertyUnit.id).in_({part.unit_id for part in parts}))
            .order_by(col(PropertyUnit.code), col(Person.id))
        )
    ).all()
    said = {(one.digest, one.owner_id): one for one in await answers(tx, topic)}
    words = {part.unit_id: part for part in parts}
    found: dict[UUID, PartView] = {}
    for unit_id, code, owner_id, name in rows:
        part = words[unit_id]
        view = found.setdefault(unit_id, PartView(unit_id, code, part.use, part.digest, owners=[]))
        if owner_id is not None:
            answer = said.get((part.digest, owner_id))
            view.owners.append(
                OwnerView(owner_id, name, answer and answer.agrees, answer and answer.at)
            )
    return list(found.values())


async def missing(tx: Transaction, topic: Topic, parts: Sequence[UsedPart]) -> int:
    """How many consents work still waits for."""
    return _missing(parts, await views(tx, topic, parts))


def _missing(parts: Sequence[UsedPart], seen: Sequence[PartView]) -> int:
    return missing_consents(
        parts,
        {view.unit_id: [owner.id for owner in view.owners] for view in seen},
        {(view.digest, owner.id): bool(owner.answer) for view in seen for owner in view.owners},
    )


async def owns(tx: Transaction, unit_id: UUID, person_id: UUID) -> bool:
    return await tx.session.get(Ownership, (unit_id, person_id)) is not None


async def last_answer(
    tx: Transaction, topic: Topic, unit_id: UUID, owner_id: UUID
) -> PartConsent | None:
    found = await tx.session.exec(
        select(PartConsent)
        .where(
            PartConsent.topic_id == topic.id,
            PartConsent.unit_id == unit_id,
            PartConsent.owner_id == owner_id,
        )
        .order_by(col(PartConsent.take).desc())
        .limit(1)
    )
    return found.first()
