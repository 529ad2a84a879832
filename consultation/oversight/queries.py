"""The one place for SQL on dissent and surveys."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlmodel import and_, col, exists, func, insert, literal, or_, select, update

from consultation.community.queries import runs_now
from consultation.community.tables import (
    Household,
    Node,
    Person,
    PropertyUnit,
    Residence,
    RoleAssignment,
)
from consultation.database import Transaction
from consultation.oversight.rules import UNSETTLED, DissentState, check_explains
from consultation.oversight.tables import (
    DissentExplanation,
    DissentRecord,
    Survey,
    SurveyAnswer,
    SurveyInvitation,
)
from consultation.paging import TimeKey, comes_after
from consultation.permissions import ALLOWED, Deed
from consultation.refusals import NotFound
from consultation.topics.queries import access_topic
from consultation.topics.states import State
from consultation.topics.tables import Topic

# ---- dissent ------------------------------------------------------------------------------


async def access_dissent_of_topic(tx: Transaction, topic_id: UUID, *, lock: bool = False) -> Topic:
    """The topic, if the actor is one of those who must explain to its dissenters."""
    topic = await access_topic(tx, topic_id, Deed.EXPLAIN_DISSENT, lock=lock)
    check_explains(
        tx.standing.role, org_id=tx.standing.org_id, commissioning_org_id=topic.commissioning_org_id
    )
    return topic


async def access_to_explain(tx: Transaction, dissent_id: UUID) -> tuple[DissentRecord, Topic]:
    """A record and its locked topic, for one of those who must explain."""
    topic_id = await _topic_of(tx, dissent_id)
    topic = await access_dissent_of_topic(tx, topic_id, lock=True)
    return await _record(tx, dissent_id), topic


async def access_own_dissent(tx: Transaction, dissent_id: UUID) -> tuple[DissentRecord, Topic]:
    """The actor's own record and its locked topic; somebody else's is NotFound."""
    topic_id = await _topic_of(tx, dissent_id)
    topic = await access_topic(tx, topic_id, Deed.ANSWER_EXPLANATION, lock=True)
    record = await _record(tx, dissent_id)
    if record.person_id != tx.person_id:
        raise NotFound(what="dissent_record")
    return record, topic


async def _topic_of(tx: Transaction, dissent_id: UUID) -> UUID:
    found = await tx.session.exec(
        select(DissentRecord.topic_id).where(DissentRecord.id == dissent_id)
    )
    topic_id = found.first()
    if topic_id is None:
        raise NotFound(what="dissent_record")
    return topic_id


async def _record(tx: Transaction, dissent_id: UUID) -> DissentRecord:
    found = await tx.session.exec(select(DissentRecord).where(DissentRecord.id == dissent_id))
    return found.one()


async def has_dissent(tx: Transaction, topic: Topic, person_id: UUID, step: State) -> bool:
    found = await tx.session.exec(
        select(DissentRecord.id).where(
            DissentRecord.topic_id == topic.id,
            DissentRecord.round == topic.round,
            DissentRecord.person_id == person_id,
            DissentRecord.step == step.value,
        )
    )
    return found.first() is not None


async def lives_here(tx: Transaction, person_id: UUID, community_id: UUID) -> bool:
    """Belongs to the community, verified."""
    found = await tx.session.exec(
        select(Residence.id).where(
            Residence.person_id == person_id,
            Residence.community_id == community_id,
            Residence.level >= 2,
        )
    )
    return found.first() is not None


async def may_explain(tx: Transaction, person_id: UUID, topic: Topic) -> bool:
    """Holds a role now that explains, in the topic's community or above it."""
    found = await tx.session.exec(
        select(RoleAssignment.id).where(
            RoleAssignment.person_id == person_id,
            col(RoleAssignment.role).in_(ALLOWED[Deed.EXPLAIN_DISSENT]),
            or_(
                RoleAssignment.community_id == topic.community_id,
                literal(topic.node_path).startswith(col(RoleAssignment.node_path)),
            ),
            runs_now(tx),
        )
    )
    return found.first() is not None


async def last_explanation(tx: Transaction, dissent_id: UUID) -> DissentExplanation | None:
    found = await tx.session.exec(
        select(DissentExplanation)
        .where(DissentExplanation.dissent_id == dissent_id)
        .order_by(col(DissentExplanation.number).desc())
        .limit(1)
    )
    return found.first()


async def dissent_counts(tx: Transaction, topic_id: UUID) -> dict[DissentState, int]:
    """How many records stand in each state: all that the public learns."""
    found = await tx.session.exec(
        select(DissentRecord.state, func.count())
        .where(DissentRecord.topic_id == topic_id)
        .group_by(col(DissentRecord.state))
    )
    counts = dict(found.all())
    return {state: counts.get(state, 0) for state in DissentState}


async def set_due(tx: Transaction, topic: Topic, due_at: datetime) -> None:
    """A deadline for every record of the topic that still waits for its explanation."""
    await tx.session.exec(
        update(DissentRecord)
        .where(
            col(DissentRecord.topic_id) == topic.id,
            col(DissentRecord.state).in_(UNSETTLED),
            col(DissentRecord.due_at).is_(None),
        )
        .values(due_at=due_at)
    )


@dataclass(frozen=True, slots=True)
class DissentView:
    record: DissentRecord
    topic_title: str
    masked_name: str
    explanations: list[DissentExplanation]


async def own_dissent(
    tx: Transaction, *, before: tuple[datetime, UUID] | None, limit: int
) -> list[DissentView]:
    """The actor's own records, newest first, with their explanations, in two statements."""
    where: list[Any] = [DissentRecord.person_id == tx.person_id]
    if before is not None:
        at, id = before
        where.append(
            or_(
                col(DissentRecord.at) < at,
                and_(col(DissentRecord.at) == at, col(DissentRecord.id) < id),
            )
        )
    order = (col(DissentRecord.at).desc(), col(DissentRecord.id).desc())
    return await _dissent_views(tx, where, order, limit)


async def dissent_to_explain(
    tx: Transaction,
    topic: Topic,
    *,
    states: Collection[DissentState],
    after: TimeKey | None,
    limit: int,
) -> list[DissentView]:
    """Records of a topic for those who must explain, oldest first, in two statements."""
    where: list[Any] = [DissentRecord.topic_id == topic.id, col(DissentRecord.state).in_(states)]
    if after is not None:
        where.append(comes_after(after, DissentRecord.at, DissentRecord.id))
    order = (col(DissentRecord.at), col(DissentRecord.id))
    return await _dissent_views(tx, where, order, limit)


async def _dissent_views(
    tx: Transaction, where: Sequence[Any], order: Sequence[Any], limit: int
) -> list[DissentView]:
    found = await tx.session.exec(
        select(DissentRecord, Topic.title, Person.masked_name)
        .join(Topic, col(Topic.id) == col(DissentRecord.topic_id))
        .join(Person, col(Person.id) == col(DissentRecord.person_id))
        .where(*where)
        .order_by(*order)
        .limit(limit)
    )
    rows = found.all()
    explanations: dict[UUID, list[DissentExplanation]] = {record.id: [] for record, _, _ in rows}
    if explanations:
        for explanation in await tx.session.exec(
            select(DissentExplanation)
            .where(col(DissentExplanation.dissent_id).in_(explanations))
            .order_by(col(DissentExplanation.number))
        ):
            explanations[explanation.dissent_id].append(explanation)
    return [
        DissentView(record, title, name, explanations[record.id]) for record, title, name in rows
    ]


# ---- survey -------------------------------------------------------------------------------


async def access_survey(
    tx: Transaction, survey_id: UUID, deed: Deed, *, lock: bool = False, answer: bool = False
) -> tuple[Survey, Topic]:
    """The survey and its topic. ``lock`` is for what changes the survey; ``answer`` keeps it from
    being counted until this answer is in."""
    found = await tx.session.exec(select(Survey.topic_id).where(Survey.id == survey_id))
    topic_id = found.first()
    if topic_id is None:
        raise NotFound(what="survey")
    topic = await access_topic(tx, topic_id, deed, lock=lock)
    statement = select(Survey).where(Survey.id == survey_id)
    if lock or answer:
        statement = statement.with_for_update(read=answer)
    return (await tx.session.exec(statement)).one(), topic


async def survey_of(tx: Transaction, topic_id: UUID) -> Survey | None:
    """The survey of the latest round that has one."""
    found = await tx.session.exec(
        select(Survey)
        .where(Survey.topic_id == topic_id)
        .order_by(col(Survey.round).desc())
        .limit(1)
    )
    return found.first()


async def invite_affected(tx: Transaction, topic: Topic, survey_id: UUID) -> int:
    """Ask every verified person whose home, shop or grid lies in the topic's place; where nobody is
    registered there, everybody verified in the community. One statement each, however many
    they are. Returns how many are asked."""
    invited = await _invite(tx, topic, survey_id, within=topic.node_path)
    return invited or await _invite(tx, topic, survey_id, within=None)


async def _invite(tx: Transaction, topic: Topic, survey_id: UUID, *, within: str | None) -> int:
    people = select(
        literal(survey_id).label("survey_id"),
        col(Residence.person_id),
        col(Residence.community_id),
        literal(False).label("answered"),
    ).where(Residence.community_id == topic.community_id, Residence.level >= 2)
    if within is not None and not within.endswith(f"/{topic.community_id}/"):
        in_place = col(Node.path).startswith(within, autoescape=True)
        people = (
            people.outerjoin(Household, col(Household.id) == col(Residence.household_id))
            .outerjoin(
                PropertyUnit,
                col(PropertyUnit.id)
                == func.coalesce(col(Residence.unit_id), col(Household.unit_id)),
            )
            .where(
                exists().where(
                    in_place,
                    or_(
                        col(Node.id) == col(PropertyUnit.entrance_id),
                        col(Node.id) == col(Household.estate_id),
                        col(Node.id)
                        == func.coalesce(col(Residence.grid_id), col(Household.grid_id)),
                    ),
                )
            )
        )
    done = await tx.session.exec(
        insert(SurveyInvitation).from_select(
            ["survey_id", "person_id", "community_id", "answered"], people
        )
    )
    return done.rowcount


async def take_invitation(tx: Transaction, survey_id: UUID, person_id: UUID) -> bool | None:
    """Use up the person's invitation: True now, False if it was used before, None if there is
    none. The database decides between two answers at once."""
    taken = await tx.session.exec(
        update(SurveyInvitation)
        .where(
            col(SurveyInvitation.survey_id) == survey_id,
            col(SurveyInvitation.person_id) == person_id,
            col(SurveyInvitation.answered).is_(False),
        )
        .values(answered=True)
    )
    if taken.rowcount:
        return True
    invitation = await tx.session.get(SurveyInvitation, (survey_id, person_id))
    return None if invitation is None else False


async def own_invitation(
    tx: Transaction, survey_id: UUID, person_id: UUID
) -> SurveyInvitation | None:
    return await tx.session.get(SurveyInvitation, (survey_id, person_id))


async def waiting_invitations(
    tx: Transaction, survey_id: UUID, *, after: tuple[str, UUID] | None, limit: int
) -> list[tuple[UUID, str]]:
    """Who has not answered yet, for those who go round with paper: person id and masked name."""
    statement = (
        select(Person.id, Person.masked_name)
        .join(SurveyInvitation, col(SurveyInvitation.person_id) == col(Person.id))
        .where(SurveyInvitation.survey_id == survey_id, col(SurveyInvitation.answered).is_(False))
    )
    if after is not None:
        name, id = after
        statement = statement.where(
            or_(
                col(Person.masked_name) > name,
                and_(col(Person.masked_name) == name, col(Person.id) > id),
            )
        )
    found = await tx.session.exec(
        statement.order_by(col(Person.masked_name), col(Person.id)).limit(limit)
    )
    return list(found.all())


@dataclass(frozen=True, slots=True)
class SurveyCounts:
    scores: dict[int, int]
    channels: dict[str, int]
    themes: list[str]
    checked: set[str]


async def count_answers(tx: Transaction, survey_id: UUID) -> SurveyCounts:
    """What the database counts, the themes as they were named, and those that passed a check."""
    counted = await tx.session.exec(
        select(SurveyAnswer.score, SurveyAnswer.channel, func.count())
        .where(SurveyAnswer.survey_id == survey_id)
        .group_by(col(SurveyAnswer.score), col(SurveyAnswer.channel))
    )
    scores: dict[int, int] = {}
    channels: dict[str, int] = {}
    for score, channel, count in counted:
        scores[score] = scores.get(score, 0) + count
        channels[channel] = channels.get(channel, 0) + count
    rows = await tx.session.exec(
        select(SurveyAnswer.themes, SurveyAnswer.themes_checked).where(
            SurveyAnswer.survey_id == survey_id
        )
    )
    named: list[str] = []
    checked = set[str]()
    for themes, passed in rows:
        named += themes
        checked.update(themes if passed else ())
    return SurveyCounts(scores, channels, named, checked)
