"""The demo's votes through the commands: D1 in both rounds, D2, D12, from draft to published."""

from collections.abc import Sequence
from uuid import UUID

from sqlmodel import col, select

from consultation.community.tables import Node, NodeKind, OrgKind
from consultation.permissions import Role
from consultation.polls.commands import casting
from consultation.polls.counting import Count
from consultation.polls.rules import BallotChannel, PollState, Verdict
from consultation.topics.states import DocumentKind, State
from consultation.topics.tables import Document, Topic, TopicTransition
from tests.consultation.polls.stage import Stage
from tests.world import World


async def sheet(stage: Stage, topic: Topic) -> str:
    async with stage.db.read() as tx:
        rows = await tx.session.exec(
            select(Document).where(
                Document.topic_id == topic.id, Document.kind == DocumentKind.TALLY_SHEET
            )
        )
        (document,) = rows.all()
    assert document.public
    return document.body


async def last_step(stage: Stage, topic: Topic) -> TopicTransition:
    async with stage.db.read() as tx:
        rows = await tx.session.exec(
            select(TopicTransition)
            .where(TopicTransition.topic_id == topic.id)
            .order_by(col(TopicTransition.number).desc())
        )
        step = rows.first()
        assert step is not None
        return step


async def lift_round(stage: Stage, answers: str, *, number: int) -> tuple[Topic, UUID]:
    entrance, owners = await stage.lift()
    topic = await stage.topic("lift_scope_owners", entrance, round=number)
    poll = await stage.opened("lift_scope_owners", topic, entrance)
    assert poll.state is PollState.OPEN
    assert await stage.topic_state(topic.id) is State.VOTING
    assert poll.scope_name == "桐荫苑3幢5单元"

    await stage.vote(poll.id, owners, answers)
    await stage.published(poll.id)
    return topic, poll.id


async def test_d1_round_1_reaches_heads_fails_on_area_and_does_not_pass(stage: Stage) -> None:
    topic, poll_id = await lift_round(stage, "aa" + "fo" + "f" * 8, number=1)

    poll = await stage.load(poll_id)
    assert poll.result is not None
    assert poll.result.verdict is Verdict.NOT_PASSED
    assert poll.result.items[0].votes_for == Count(heads=9, area_dm2=63855)
    assert [check.reached for check in poll.result.items[0].approval] == [True, False]
    assert await stage.topic_state(topic.id) is State.OUTCOME_PUBLIC
    assert (await last_step(stage, topic)).rule == "T13"
    text = await sheet(stage, topic)
    assert "同意9人,反对2人,弃权1人" in text
    assert "平方米" not in text  # three ballots would tell whose areas these are
    assert "同意面积未达到参与表决的专有部分面积的四分之三以上。" in text
    assert "表决未通过。" in text


async def test_d1_round_2_passes(stage: Stage) -> None:
    topic, poll_id = await lift_round(stage, "aa" + "f" * 10, number=2)

    poll = await stage.load(poll_id)
    assert poll.result is not None
    assert poll.result.verdict is Verdict.PASSED
    assert poll.result.items[0].votes_for == Count(heads=10, area_dm2=71275)
    assert "表决通过。" in await sheet(stage, topic)


async def test_a_vote_that_too_few_take_part_in_fails_for_want_of_quorum(stage: Stage) -> None:
    topic, poll_id = await lift_round(stage, "f" * 7 + ".....", number=1)

    poll = await stage.load(poll_id)
    assert poll.result is not None
    assert poll.result.verdict is Verdict.NO_QUORUM
    assert await stage.topic_state(topic.id) is State.NO_QUORUM
    assert (await last_step(stage, topic)).rule == "T14"
    assert "未达到法定参与比例,表决不成立。" in await sheet(stage, topic)


async def test_a_vote_without_a_single_ballot_has_no_quorum(stage: Stage) -> None:
    topic, poll_id = await lift_round(stage, "." * 12, number=1)

    assert await stage.topic_state(topic.id) is State.NO_QUORUM
    assert (await stage.load(poll_id)).result is not None


async def record(stage: Stage, poll_id: UUID, people: Sequence[UUID], answers: str) -> None:
    words = {"f": "for", "a": "against", "o": "abstain"}
    numbers = {place.person_id: place.number for place in (await stage.roll(poll_id)).values()}
    votes = {
        numbers[person]: [(1, [words[letter]])]
        for person, letter in zip(people, answers, strict=True)
    }
    async with stage.db.begin(stage.world.as_("teller1", Role.TELLER)) as tx:
        await casting.record_meeting_votes(tx, poll_id, votes, channel=BallotChannel.SHOW_OF_HANDS)


async def test_d2_640_households_support_the_charging_shed(stage: Stage) -> None:
    estate, people = await stage.households(640)
    topic = await stage.topic("household_poll", estate)
    poll = await stage.opened("household_poll", topic, estate)
    assert (poll.eligible_heads, poll.eligible_area_dm2) == (640, 0)

    await stage.vote(poll.id, people[:421], "f" * 301 + "a" * 98 + "o" * 22)
    poll = await stage.published(poll.id)

    assert poll.result is not None
    assert poll.result.verdict is Verdict.SUPPORTED
    assert poll.result.participating == Count(heads=421, area_dm2=0)
    assert await stage.topic_state(topic.id) is State.OUTCOME_PUBLIC
    text = await sheet(stage, topic)
    assert "应参与表决住户640户;参与表决421户,约占65.78%。" in text
    assert "约占71.50%" in text
    assert "不具有约束力" in text


async def test_d12_the_villagers_representatives_pass_the_pond(stage: Stage, world: World) -> None:
    village = await stage.place(NodeKind.VILLAGE, "柳桥村", world.nodes["subdistrict"])
    members = await stage.assembly(village, 88, OrgKind.VILLAGERS_COMMITTEE)
    await lend_staff(stage, village)  # of whom three are members of the two committees
    members += [world.id(name) for name in ("secretary", "deputy", "representative")]
    topic = await stage.topic("village_reps", village)
    meeting = await stage.meeting(topic, members[:74], guests=3)
    poll = await stage.opened("village_reps", topic, village, meeting_id=meeting.id)
    assert poll.eligible_heads == 91

    await record(stage, poll.id, members[:74], "f" * 61 + "a" * 9 + "o" * 4)
    poll = await stage.published(poll.id)

    assert poll.result is not None
    assert (poll.present, poll.result.present) == (74, 74)
    assert (poll.result.turnout[0].needed, poll.result.items[0].approval[0].needed) == (61, 38)
    assert poll.result.verdict is Verdict.PASSED
    assert "应到91人,实到74人" in await sheet(stage, topic)


async def lend_staff(stage: Stage, village: Node) -> None:
    """The staff of the world, working in the village too."""
    async with stage.db.begin() as tx:
        for assignment in stage.world.assignments.values():
            if assignment.community_id == stage.world.community.id:
                assignment.community_id = village.id
                assignment.node_id = village.id
                assignment.node_path = village.path
                await tx.session.merge(assignment)
