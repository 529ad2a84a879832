"""SQL for the commands on topics: what a step has to know beside the topic's own row, which
``queries.access_*`` gives, and the few statements that write many rows at once."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import Boolean, Uuid
from sqlalchemy import select as sa_select
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.orm import aliased
from sqlmodel import SQLModel, and_, col, exists, func, literal, select

from consultation.columns import UtcDateTime
from consultation.community.queries import runs_now
from consultation.community.tables import (
    Node,
    Organisation,
    PropertyUnit,
    Residence,
    RoleAssignment,
)
from consultation.database import Transaction
from consultation.permissions import Role
from consultation.refusals import NotFound
from consultation.topics.bodies import DEFAULT_CONVENER
from consultation.topics.planning import OFFICERS, UNPUBLISHED_UNTIL_ANNOUNCED
from consultation.topics.proposal import ScopeNotInCommunity
from consultation.topics.states import DocumentKind
from consultation.topics.tables import (
    CoSignature,
    Document,
    Follow,
    InterestDeclaration,
    ParticipantRequest,
    Rejection,
    Topic,
    TopicCounter,
    TopicPlan,
)

Unit, Home = aliased(Node), aliased(Node)


async def current_plan(tx: Transaction, topic: Topic) -> TopicPlan | None:
    """The plan of the present round."""
    return await tx.session.get(TopicPlan, (topic.id, topic.round))


async def last_rejection(tx: Transaction, topic: Topic) -> Rejection | None:
    rows = await tx.session.exec(
        select(Rejection)
        .where(Rejection.topic_id == topic.id)
        .order_by(col(Rejection.proposed_at).desc(), col(Rejection.id))
        .limit(1)
    )
    return rows.first()


async def appeals_made(tx: Transaction, topic: Topic) -> bool:
    rows = await tx.session.exec(
        select(
            exists().where(
                and_(col(Rejection.topic_id) == topic.id, col(Rejection.appealed_at).is_not(None))
            )
        )
    )
    return bool(rows.one())


async def supporters(tx: Transaction, topic: Topic) -> set[UUID]:
    """Author, who entered it for them, co-signers and followers: whom what happens concerns."""
    cosigners = select(CoSignature.person_id).where(CoSignature.topic_id == topic.id)
    followers = select(Follow.person_id).where(
        Follow.topic_id == topic.id, col(Follow.ended).is_(False)
    )
    rows = await tx.session.exec(cosigners)
    followed = await tx.session.exec(followers)
    return {*rows, *followed, topic.author_id}


async def access_scope(tx: Transaction, community_id: UUID, node_id: UUID) -> Node:
    """Where a topic of the community is to lie: in it, or above it. NotFound for an unknown
    community or village, ScopeNotInCommunity for a place elsewhere."""
    rows = await tx.session.exec(select(Node).where(col(Node.id).in_({community_id, node_id})))
    nodes = {node.id: node for node in rows}
    community, node = nodes.get(community_id), nodes.get(node_id)
    if community is None or node is None or community.community_id != community.id:
        raise NotFound(what="node")
    if node.community_id != community.id and not community.path.startswith(node.path):
        raise ScopeNotInCommunity()
    return node


async def verified_grid(tx: Transaction, person_id: UUID, community_id: UUID) -> UUID | None:
    """The grid of a verified resident of the community."""
    rows = await tx.session.exec(
        select(Residence.grid_id).where(
            Residence.person_id == person_id,
            Residence.community_id == community_id,
            col(Residence.level) >= 2,
        )
    )
    return rows.first()


async def stake_path(tx: Transaction, community_id: UUID) -> str | None:
    """Where the actor's stake lies: the entrance of their unit, or the community where none is
    known."""
    rows = await tx.session.exec(
        select(func.coalesce(Unit.path, Home.path))
        .select_from(Residence)
        .join(PropertyUnit, col(PropertyUnit.id) == col(Residence.unit_id), isouter=True)
        .join(Unit, col(Unit.id) == col(PropertyUnit.entrance_id), isouter=True)
        .join(Home, col(Home.id) == col(Residence.community_id))
        .where(Residence.person_id == tx.person_id, Residence.community_id == community_id)
    )
    return rows.first()


async def next_number(tx: Transaction, community_id: UUID, year: int) -> int:
    """The next number of the year. The row of the counter is locked until the transaction ends, so
    that two submissions never get the same one and none is lost."""
    insert = sqlite_insert if tx.session.get_bind().dialect.name == "sqlite" else pg_insert
    statement = (
        insert(TopicCounter)
        .values(community_id=community_id, year=year, last=1)
        .on_conflict_do_update(
            index_elements=["community_id", "year"], set_={"last": col(TopicCounter.last) + 1}
        )
        .returning(col(TopicCounter.last))
    )
    return (await tx.session.exec(statement)).one()[0]


async def insert_missing(tx: Transaction, table: type[SQLModel], **values: Any) -> bool:
    """Insert a row unless its key is there; whether it was inserted."""
    insert = sqlite_insert if tx.session.get_bind().dialect.name == "sqlite" else pg_insert
    done = await tx.session.exec(insert(table).values(**values).on_conflict_do_nothing())
    return bool(done.rowcount)


async def begin_following(tx: Transaction, topic: Topic, person_id: UUID) -> None:
    """Who takes part hears how it goes on, unless they asked to hear no more."""
    await _follow(tx, topic, person_id, {"by_roll": False})


async def set_following(tx: Transaction, topic: Topic, *, ended: bool) -> None:
    """What the actor asked for last stands."""
    await _follow(tx, topic, tx.person_id, {"by_roll": False, "ended": ended})


async def _follow(tx: Transaction, topic: Topic, person_id: UUID, change: dict[str, bool]) -> None:
    insert = sqlite_insert if tx.session.get_bind().dialect.name == "sqlite" else pg_insert
    new = {
        "topic_id": topic.id,
        "person_id": person_id,
        "community_id": topic.community_id,
        "ended": False,
        "at": tx.now,
    }
    await tx.session.exec(
        insert(Follow)
        .values(new | change)
        .on_conflict_do_update(index_elements=["topic_id", "person_id"], set_=change)
    )


async def carry_over(tx: Transaction, source: Topic, target: Topic) -> None:
    """Author and co-signers of ``source`` co-sign ``target``, its followers follow it. Whoever
    does already, and the author of ``target``, is left as they are."""
    insert = sqlite_insert if tx.session.get_bind().dialect.name == "sqlite" else pg_insert
    supporters_of_source = (
        select(CoSignature.person_id)
        .where(CoSignature.topic_id == source.id)
        .union(select(Topic.author_id).where(Topic.id == source.id))
        .subquery()
    )
    person = supporters_of_source.c.person_id
    carried = sa_select(
        literal(target.id, Uuid),
        person,
        literal(target.community_id, Uuid),
        literal(source.id, Uuid),
        literal(tx.now, UtcDateTime),
    ).where(person != target.author_id)
    await tx.session.exec(
        insert(CoSignature)
        .from_select(["topic_id", "person_id", "community_id", "carried_from_id", "at"], carried)
        .on_conflict_do_nothing()
    )
    followers = sa_select(
        literal(target.id, Uuid),
        col(Follow.person_id),
        literal(target.community_id, Uuid),
        col(Follow.by_roll),
        literal(False, Boolean),
        literal(tx.now, UtcDateTime),
    ).where(col(Follow.topic_id) == source.id, col(Follow.ended).is_(False))
    await tx.session.exec(
        insert(Follow)
        .from_select(["topic_id", "person_id", "community_id", "by_roll", "ended", "at"], followers)
        .on_conflict_do_nothing()
    )


async def count_co_signers(tx: Transaction, topic_id: UUID) -> int:
    rows = await tx.session.exec(
        select(func.count()).select_from(CoSignature).where(CoSignature.topic_id == topic_id)
    )
    return rows.one()


async def party_org(tx: Transaction, community_id: UUID) -> UUID | None:
    rows = await tx.session.exec(
        select(Organisation.id).where(
            Organisation.community_id == community_id, Organisation.kind == DEFAULT_CONVENER
        )
    )
    return rows.first()


async def organisation_at(tx: Transaction, org_id: UUID) -> tuple[Organisation, str] | None:
    """An organisation and the path of its node."""
    rows = await tx.session.exec(
        select(Organisation, Node.path)
        .join(Node, col(Node.id) == col(Organisation.node_id))
        .where(Organisation.id == org_id)
    )
    return rows.first()


async def has_staff(tx: Transaction, org_id: UUID) -> bool:
    """Whether somebody can answer here for the organisation."""
    rows = await tx.session.exec(
        select(
            exists().where(
                col(RoleAssignment.org_id) == org_id,
                col(RoleAssignment.role) == Role.GOVERNMENT,
                runs_now(tx),
            )
        )
    )
    return bool(rows.one())


async def roles_at(
    tx: Transaction, people: Collection[UUID], topic: Topic
) -> dict[UUID, set[Role]]:
    """Which host and teller roles these people hold now at the topic."""
    rows = await tx.session.exec(
        select(RoleAssignment.person_id, RoleAssignment.role, RoleAssignment.node_path).where(
            col(RoleAssignment.person_id).in_(people),
            col(RoleAssignment.role).in_(OFFICERS),
            runs_now(tx),
        )
    )
    held: dict[UUID, set[Role]] = {}
    for person, role, path in rows:
        if topic.node_path.startswith(path):
            held.setdefault(person, set()).add(Role(role))
    return held


async def interested(tx: Transaction, topic: Topic) -> set[UUID]:
    """Who declared an interest in the topic, and its author."""
    rows = await tx.session.exec(
        select(InterestDeclaration.person_id).where(
            InterestDeclaration.topic_id == topic.id,
            col(InterestDeclaration.has_interest).is_(True),
        )
    )
    return {*rows, topic.author_id}


async def own_request(tx: Transaction, topic: Topic) -> ParticipantRequest | None:
    rows = await tx.session.exec(
        select(ParticipantRequest).where(
            ParticipantRequest.topic_id == topic.id,
            ParticipantRequest.round == topic.round,
            ParticipantRequest.person_id == tx.person_id,
        )
    )
    return rows.first()


async def papers_of_acceptance(tx: Transaction, topic: Topic) -> list[Document]:
    """The proposal as last submitted and the commission letter, which acceptance publishes."""
    rows = await tx.session.exec(
        select(Document)
        .where(
            Document.topic_id == topic.id,
            col(Document.kind).in_((DocumentKind.PROPOSAL, DocumentKind.COMMISSION_LETTER)),
        )
        .order_by(col(Document.created_at).desc(), col(Document.id))
    )
    latest: dict[DocumentKind, Document] = {}
    for document in rows:
        latest.setdefault(document.kind, document)
    return list(latest.values())


async def papers_of_preparation(tx: Transaction, topic: Topic) -> list[Document]:
    """The materials of the round, which the announcement publishes."""
    rows = await tx.session.exec(
        select(Document).where(
            Document.topic_id == topic.id,
            col(Document.kind).in_(UNPUBLISHED_UNTIL_ANNOUNCED),
            col(Document.public).is_(False),
        )
    )
    return list(rows)


async def newest_version(tx: Transaction, series_id: UUID) -> int:
    rows = await tx.session.exec(
        select(func.max(Document.version)).where(Document.series_id == series_id)
    )
    return rows.one()
