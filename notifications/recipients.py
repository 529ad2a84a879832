"""The one place for SQL on who is meant by a row of the audience table."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import CompoundSelect, Select, literal, literal_column, union, union_all
from sqlalchemy import select as sa_select
from sqlalchemy.orm import aliased
from sqlmodel import and_, col, or_

from consultation.community.rules import COMMUNITIES
from consultation.community.tables import (
    Household,
    Node,
    Organisation,
    Ownership,
    Person,
    PropertyUnit,
    Residence,
    RoleAssignment,
)
from consultation.database import Transaction
from consultation.outcomes.tables import Task
from consultation.polls.queries import on_present_roll
from consultation.polls.tables import Poll, RollEntry
from consultation.topics.tables import Follow, Topic, Transfer
from consultation.topics.transfers import PENDING
from notifications.audience import Told, Who


@dataclass(frozen=True, slots=True)
class Occasion:
    """What happened, as far as it decides who hears of it. ``below``: the matter lies in a part of
    the community, so that some are affected more than others."""

    told: Sequence[Told]
    person_id: UUID | None
    topic: Topic | None
    below: bool
    poll_id: UUID | None
    task_id: UUID | None
    actor_id: UUID | None


async def recipients(tx: Transaction, occasion: Occasion) -> dict[UUID, Told]:
    """Everybody who is told, each with the first row that fits; in one statement, or none. Who did
    it themselves knows, but for what is their own to know: of their poll, or about them."""
    found: dict[UUID, Told] = {}
    branches = []
    for place, told in enumerate(occasion.told):
        people = _people(tx, told, occasion)
        if people is not None:
            named = people.subquery()
            branches.append(
                sa_select(literal_column(str(place)).label("place"), named.c[0].label("person_id"))
            )
    if branches:
        rows = await tx.session.exec(union_all(*branches))  # type: ignore[call-overload]
        for place, person_id in sorted(rows, key=lambda row: row[0]):
            own = occasion.told[place].who in (Who.PERSON, Who.ROLL, Who.KEPT)
            if own or person_id != occasion.actor_id:
                found.setdefault(person_id, occasion.told[place])
    return found


def _people(
    tx: Transaction, told: Told, occasion: Occasion
) -> Select[Any] | CompoundSelect[Any] | None:
    topic = occasion.topic
    match told.who:
        case Who.PERSON if occasion.person_id is not None:
            return sa_select(col(Person.id)).where(
                col(Person.id) == occasion.person_id,
                col(Person.same_as_id).is_(None),  # the person it became is told
            )
        case Who.ROLL if occasion.poll_id is not None:
            return (
                sa_select(col(RollEntry.person_id))
                .join(Poll, on_present_roll())
                .where(col(Poll.id) == occasion.poll_id, col(RollEntry.person_id).is_not(None))
            )
        case Who.KEPT if occasion.poll_id is not None:
            return _kept_places(occasion.poll_id)
        case Who.AUTHOR if topic is not None:
            return sa_select(col(Topic.author_id)).where(col(Topic.id) == topic.id)
        case Who.FOLLOWERS if topic is not None:
            return followers(topic.id)
        case Who.AFFECTED if topic is not None and occasion.below:
            return _affected(topic)
        case Who.STAFF if topic is not None:
            return _staff(tx, topic, told)
        case Who.COMMISSIONER if topic is not None and topic.commissioning_org_id is not None:
            return _staff(tx, topic, told).where(
                col(RoleAssignment.org_id) == topic.commissioning_org_id
            )
        case Who.RECEIVER if topic is not None:
            waits = sa_select(col(Transfer.receiver_org_id)).where(
                col(Transfer.topic_id) == topic.id, col(Transfer.state).in_(PENDING)
            )
            return _staff(tx, topic, told).where(col(RoleAssignment.org_id).in_(waits))
        case Who.OFFICE if topic is not None:
            offices = sa_select(col(Organisation.id)).where(col(Organisation.kind).in_(told.kinds))
            return _staff(tx, topic, told).where(col(RoleAssignment.org_id).in_(offices))
        case Who.RESPONSIBLE if topic is not None and occasion.task_id is not None:
            return _responsible(tx, topic, told, occasion.task_id)
        case Who.COMMUNITY if topic is not None:
            return _members(topic.community_id)
        case _:
            return None


def _kept_places(poll_id: UUID) -> Select[Any]:
    """Whose place the last correction of the roll left as it was."""
    before = aliased(RollEntry)
    return (
        sa_select(col(RollEntry.person_id))
        .join(Poll, on_present_roll())
        .join(
            before,
            and_(
                col(before.poll_id) == col(RollEntry.poll_id),
                col(before.roll_version) == col(RollEntry.roll_version) - 1,
                col(before.number) == col(RollEntry.number),
                col(before.person_id) == col(RollEntry.person_id),
                col(before.area_dm2) == col(RollEntry.area_dm2),
            ),
        )
        .where(col(Poll.id) == poll_id)
    )


def followers(topic_id: UUID) -> Select[Any] | CompoundSelect[Any]:
    """Who follows, and the author unless they asked to hear no more."""
    kept = sa_select(col(Follow.person_id)).where(
        col(Follow.topic_id) == topic_id, col(Follow.ended).is_(False)
    )
    gone = sa_select(col(Follow.person_id)).where(
        col(Follow.topic_id) == topic_id, col(Follow.ended).is_(True)
    )
    author = sa_select(col(Topic.author_id)).where(
        col(Topic.id) == topic_id, col(Topic.author_id).not_in(gone)
    )
    return union(kept, author)


def _members(community_id: UUID) -> Select[Any]:
    return sa_select(col(Residence.person_id)).where(
        col(Residence.community_id) == community_id, col(Residence.level) >= 2
    )


def _affected(topic: Topic) -> CompoundSelect[Any]:
    """Owners of what lies in the place of the topic, verified residents of it, and those who speak
    for its households."""
    inside = or_(
        col(Node.path).startswith(topic.node_path, autoescape=True),
        col(Node.grid_id) == topic.node_id,
    )
    here = col(PropertyUnit.community_id) == topic.community_id
    units = (
        sa_select(col(PropertyUnit.id))
        .join(Node, col(Node.id) == col(PropertyUnit.entrance_id))
        .where(here, inside)
    )
    in_grid = col(Residence.grid_id) == topic.node_id
    return union(
        sa_select(col(Ownership.person_id)).where(col(Ownership.unit_id).in_(units)),
        _members(topic.community_id).where(or_(col(Residence.unit_id).in_(units), in_grid)),
        sa_select(col(Household.representative_id)).where(
            col(Household.community_id) == topic.community_id,
            col(Household.representative_id).is_not(None),
            or_(col(Household.unit_id).in_(units), col(Household.grid_id) == topic.node_id),
        ),
    )


def _staff(tx: Transaction, topic: Topic, told: Told) -> Select[Any]:
    """Who holds one of the roles, now, at a place above the topic or at it."""
    reaches = literal(topic.node_path).startswith(col(RoleAssignment.node_path))
    return (
        sa_select(col(RoleAssignment.person_id))
        .where(
            col(RoleAssignment.role).in_(told.roles),
            reaches,
            col(RoleAssignment.valid_from) <= tx.now,
            or_(col(RoleAssignment.valid_to).is_(None), col(RoleAssignment.valid_to) > tx.now),
        )
        .distinct()
    )


def _responsible(tx: Transaction, topic: Topic, told: Told, task_id: UUID) -> CompoundSelect[Any]:
    task = col(Task.id) == task_id
    answers = sa_select(col(Task.responsible_org_id)).where(task)
    return union(
        _staff(tx, topic, told).where(col(RoleAssignment.org_id).in_(answers)),
        sa_select(col(Task.contact_id)).where(task, col(Task.contact_id).is_not(None)),
    )


def lies_below(place: Node) -> bool:
    """In a part of a community; what concerns a whole one affects nobody in particular."""
    return place.community_id is not None and place.kind not in COMMUNITIES
