"""A run-off is for the seats that an election left open, among those who stand again; it is no way
to hold the first election with less notice and a lower bound (村民委员会组织法 art. 15)."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update
from sqlmodel import col

from consultation.community.tables import Node, NodeKind, Residence, ResidenceKind
from consultation.polls.drafts import Nominee
from consultation.polls.presets import QuestionKind
from consultation.polls.rules import Option, PollItem, PollState
from consultation.polls.runoffs import RunoffInvalid
from consultation.polls.tables import Poll
from consultation.topics.states import State
from consultation.topics.tables import Topic, TopicPlan
from tests.consultation.polls.counting_cases import preset
from tests.consultation.polls.stage import Stage
from tests.world import A_PLAN

TEXT = "选举村民委员会委员"


def election(codes: str, seats: int, text: str = TEXT) -> PollItem:
    options = [Option(code=code, text=code) for code in codes]
    return PollItem(
        number=1,
        text=text,
        kind=QuestionKind.ELECTION,
        seats=seats,
        most=min(seats, len(codes)),
        options=options,
    )


def nominees(codes: str, people: list[UUID]) -> list[Nominee]:
    return [
        Nominee(item=1, code=code, person_id=person)
        for code, person in zip(codes, people, strict=True)
    ]


async def village(stage: Stage, count: int) -> tuple[Node, list[UUID]]:
    place = await stage.place(NodeKind.VILLAGE, "柳桥村", stage.world.nodes["community"])
    people = await stage.people(count, place.id)
    async with stage.db.begin() as tx:
        await tx.session.exec(
            update(Residence)
            .where(col(Residence.person_id).in_(people))
            .values(kind=ResidenceKind.OWNER)
        )
    return place, people


async def planned(stage: Stage, topic: Topic, round: int) -> Topic:
    """The topic in this round, its plan naming the run-off."""
    async with stage.db.begin() as tx:
        row = await tx.session.get_one(Topic, topic.id)
        plan = await tx.session.get_one(TopicPlan, (topic.id, topic.round))
        row.round, row.state = round, State.OUTCOME_DRAFTING
        chosen = A_PLAN.model_copy(update={"poll_preset": preset("village_runoff").key})
        if round == topic.round:
            plan.plan = chosen
        else:
            tx.session.add(TopicPlan(**(plan.model_dump() | {"round": round, "plan": chosen})))
    async with stage.db.read() as tx:
        topic = await tx.session.get_one(Topic, topic.id)
    if round > 1:
        await stage.write_outcome(topic)
    return topic


async def elected_in_part(stage: Stage) -> tuple[Topic, Node, list[UUID], Poll]:
    """Two seats, three candidates, of whom the first alone reaches half of the votes."""
    place, people = await village(stage, 9)
    topic = await stage.topic("village_election", place)
    standing = await stage.people(3, place.id, verified=False)
    poll = await stage.opened(
        "village_election",
        topic,
        place,
        items=[election("abc", 2)],
        candidates=nominees("abc", standing),
    )
    for person, choice in zip(people, "aaaaabbcc", strict=True):
        await stage.cast_sealed(poll.id, person, choice)
    await stage.open_box(poll.id)
    await stage.work()
    poll = await stage.signed(poll.id)
    assert poll.state is PollState.PUBLISHED
    return topic, place, standing, poll


async def test_a_first_election_is_not_held_as_a_run_off(stage: Stage) -> None:
    place, _ = await village(stage, 9)
    topic = await planned(stage, await stage.topic("village_election", place), 1)
    with pytest.raises(RunoffInvalid) as refused:
        await stage.drafted("village_runoff", topic, place, items=[election("abc", 1)])
    assert refused.value.facts == {"problem": "no_election"}


async def test_a_run_off_fills_the_open_seats_from_those_who_stand_again(stage: Stage) -> None:
    topic, place, standing, first = await elected_in_part(stage)
    assert first.result is not None
    (count,) = first.result.items
    assert (count.chosen, count.runoff, count.open_seats) == (["a"], ["b", "c"], 1)
    topic = await planned(stage, topic, 2)
    (stranger,) = await stage.people(1, place.id, verified=False)

    async def draft(codes: str, people: list[UUID], seats: int = 1, text: str = TEXT) -> Poll:
        content: dict[str, Any] = {
            "items": [election(codes, seats, text)],
            "candidates": nominees(codes, people),
        }
        return await stage.drafted("village_runoff", topic, place, **content)

    again = standing[1:]
    for problem, wrong in (
        ("seats", draft("bc", again, seats=2)),
        ("candidates", draft("bc", [standing[0], standing[1]])),
        ("candidates", draft("bc", [standing[1], stranger])),
        ("candidates", draft("bcd", [*again, stranger])),
        ("nothing_open", draft("bc", again, text="选举村民委员会主任")),
    ):
        with pytest.raises(RunoffInvalid) as refused:
            await wrong
        assert refused.value.facts == {"problem": problem, "item": 1}
    await draft("bc", again)
    poll = await stage.announced(
        "village_runoff",
        topic,
        place,
        items=[election("xy", 1)],  # the person counts, not the letter
        candidates=nominees("xy", again),
    )
    assert poll.state is PollState.ANNOUNCED
    async with stage.db.begin() as tx:  # the election is annulled: nothing is open any more
        (await tx.session.get_one(Poll, poll.id)).state = PollState.VOIDED
        (await tx.session.get_one(Poll, first.id)).state = PollState.VOIDED
    with pytest.raises(RunoffInvalid):
        await draft("bc", again)
