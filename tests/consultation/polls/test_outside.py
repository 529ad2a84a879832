"""A certified result of the legal system of record stands beside the indicative one, and is the
one that the topic follows."""

from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlmodel import col, select

from api.phrases import write
from consultation.permissions import SYSTEM, Actor, Deed, Role
from consultation.polls import outside as rules_of
from consultation.polls.commands import outside
from consultation.polls.outside import OutsideCount, OutsideItem
from consultation.polls.results import Count
from consultation.polls.rules import PollItem, Verdict
from consultation.polls.tables import Poll
from consultation.polls.terms import SecondPersonNeeded
from consultation.refusals import NotFound, NotPermitted
from consultation.topics.gates.gate import GateNotMet
from consultation.topics.lifecycle import advance
from consultation.topics.queries import access_topic
from consultation.topics.states import Act, State
from consultation.topics.tables import Document, TopicTransition
from tests.consultation.polls.counting_cases import preset
from tests.consultation.polls.stage import Stage

CLERK, SECRETARY = ("clerk", Role.CLERK), ("secretary", Role.PARTY_SECRETARY)
SHA = "9" * 64


def count(heads: int, area: int) -> Count:
    return Count(heads=heads, area_dm2=area)


def d3(**change: Any) -> OutsideCount:
    """D3 of the domain (8.3): passes heads, and fails area at three quarters."""
    content: dict[str, Any] = {
        "eligible": count(839, 8965300),
        "valid": count(588, 6021540),
        "items": [
            OutsideItem(
                number=1, votes={"for": count(447, 4481230), "against": count(141, 1540310)}
            )
        ],
    }
    return OutsideCount(**(content | change))


async def closed_poll(stage: Stage, *, of_record: bool = False) -> Poll:
    estate = stage.world.nodes["estate"]
    topic = await stage.topic("civil278_special", estate)
    poll = await stage.opened("civil278_special", topic, estate, owners_system_of_record=of_record)
    return await stage.closed(poll.id)


async def enter(
    stage: Stage, poll: Poll, sums: OutsideCount, who: tuple[str, Role] = CLERK
) -> None:
    async with stage.db.begin(stage.world.as_(*who)) as tx:
        await outside.enter_outside_result(
            tx, poll.id, system="宁澜市业主决策系统", certificate_sha256=SHA, sums=sums
        )


async def confirm(
    stage: Stage, poll: Poll, sums: OutsideCount, who: tuple[str, Role] = SECRETARY
) -> Verdict:
    async with stage.db.begin(stage.world.as_(*who)) as tx:
        entered, _ = await outside.confirm_outside_result(
            tx, poll.id, certificate_sha256=SHA, sums=sums, write=write
        )
        return entered.result.verdict


async def test_a_second_person_reads_the_certificate_and_the_rule_gives_the_verdict(
    stage: Stage,
) -> None:
    poll = await closed_poll(stage)
    everybody = Actor(person_id=stage.world.id("resident2"))
    with pytest.raises(NotFound):
        await confirm(stage, poll, d3())
    await enter(stage, poll, d3(valid=count(589, 6021541), items=[one_more()]))
    await enter(stage, poll, d3())  # a slip of the pen, entered again
    await enter(stage, poll, d3())
    with pytest.raises(SecondPersonNeeded):
        await confirm(stage, poll, d3(), CLERK)
    with pytest.raises(rules_of.OutsideResultDiffers):
        await confirm(stage, poll, d3(valid=count(589, 6021541), items=[one_more()]))
    with pytest.raises(NotPermitted):
        await confirm(stage, poll, d3(), ("supervisor", Role.SUPERVISOR))
    with pytest.raises(NotFound):
        async with stage.db.read(everybody) as tx:
            await outside.read_outside_result(tx, poll.id)

    assert await confirm(stage, poll, d3()) is Verdict.NOT_PASSED
    assert await confirm(stage, poll, d3()) is Verdict.NOT_PASSED
    with pytest.raises(rules_of.OutsideResultDiffers):
        await enter(stage, poll, d3(eligible=count(840, 8965300)))
    async with stage.db.read(everybody) as tx:
        _, entered, confirmation = await outside.read_outside_result(tx, poll.id)
        documents = await tx.session.exec(
            select(Document.body).where(Document.topic_id == poll.topic_id)
        )
        said = "".join(documents)
    assert confirmation is not None
    (heads, area) = entered.result.items[0].approval
    assert (heads.reached, area.reached, entered.result.quorum_reached) == (True, False, True)
    assert "由法定表决系统“宁澜市业主决策系统”计票认定" in said
    assert "表决未通过" in said
    indicative = await stage.load(poll.id)
    assert indicative.result is not None
    assert indicative.result.verdict is Verdict.NO_QUORUM  # nobody voted here


async def test_exact_areas_of_a_certificate_are_for_those_entitled(
    stage: Stage, client: httpx.AsyncClient
) -> None:
    """One voter against, whose area the sums would give away (decision 0029)."""
    world, poll = stage.world, await closed_poll(stage)
    votes = {"for": count(587, 6021540 - 7421), "against": count(1, 7421)}
    sums = d3(items=[OutsideItem(number=1, votes=votes)])
    await enter(stage, poll, sums)
    await confirm(stage, poll, sums)

    async def shown(headers: dict[str, str]) -> dict[str, Any]:
        answer = await client.get(f"/v1/polls/{poll.id}/outside-result", headers=headers)
        assert answer.status_code == 200
        return answer.json()

    stranger = await shown({})
    assert stranger["areas_rounded"]
    assert [one["votes"]["area_dm2"] for one in stranger["result"]["items"][0]["tallies"]] == [
        0
    ] * 3
    async with stage.db.read() as tx:
        document = await tx.session.get_one(Document, UUID(stranger["document_id"]))
    for text in (str(stranger["wording"]), document.body):
        assert "1人" in text
        for area in ("74.21", "60141", "60,141", "60215", "60,215"):
            assert area not in text
    for headers in (
        world.headers("supervisor", Role.SUPERVISOR),
        world.headers(*CLERK),
        world.headers("resident1"),
    ):
        exact = await shown(headers)
        assert not exact["areas_rounded"]
        assert exact["result"]["items"][0]["tallies"][0]["votes"]["area_dm2"] == 6021540 - 7421


def one_more() -> OutsideItem:
    return OutsideItem(number=1, votes={"for": count(448, 4481231), "against": count(141, 1540310)})


async def test_no_outside_result_where_the_vote_is_ours_or_still_runs(stage: Stage) -> None:
    ours = await closed_poll(stage, of_record=True)
    with pytest.raises(rules_of.OutsideResultNotExpected):
        await enter(stage, ours, d3())


def of_588(agree: int, area: int) -> list[OutsideItem]:
    votes = {"for": count(agree, area), "against": count(588 - agree, 6021540 - area)}
    return [OutsideItem(number=1, votes=votes)]


@pytest.mark.parametrize("signed_here_first", [True, False])
@pytest.mark.parametrize(
    ("change", "state", "verdict"),
    [
        ({"items": of_588(450, 4520000)}, State.OUTCOME_PUBLIC, "passed"),
        ({}, State.OUTCOME_PUBLIC, "not_passed"),  # a result like any, and not one of passing
        (
            {"eligible": count(1200, 8965300), "items": of_588(450, 4520000)},
            State.NO_QUORUM,
            "no_quorum",
        ),
    ],
)
async def test_the_topic_follows_the_certified_result_and_not_the_indicative_one(
    stage: Stage, change: dict[str, Any], state: State, verdict: str, signed_here_first: bool
) -> None:
    poll = await closed_poll(stage)
    assert poll.result is not None
    assert poll.result.verdict is Verdict.NO_QUORUM  # nobody voted here
    if signed_here_first:
        await stage.published(poll.id)
    await enter(stage, poll, d3(**change))
    assert await stage.topic_state(poll.topic_id) is State.VOTING
    for act in (Act.PUBLISH_RESULT, Act.FAIL_QUORUM):
        async with stage.db.read(SYSTEM) as tx:
            topic = await access_topic(tx, poll.topic_id, Deed.RUN_SYSTEM)
            with pytest.raises(GateNotMet) as waits:
                await advance(tx, topic, act)
        assert waits.value.facts["missing"] == ["certified_result"]

    await confirm(stage, poll, d3(**change))
    assert await stage.topic_state(poll.topic_id) is state
    if not signed_here_first:
        assert (await stage.published(poll.id)).published_at is not None  # for the record
    assert await stage.topic_state(poll.topic_id) is state
    async with stage.db.read() as tx:
        steps = await tx.session.exec(
            select(TopicTransition.facts)
            .where(TopicTransition.topic_id == poll.topic_id)
            .order_by(col(TopicTransition.number).desc())
        )
        assert steps.first() == {"verdict": verdict}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"valid": count(587, 6021540)}, "sums"),
        ({"valid": count(588, 6021541)}, "sums"),
        ({"eligible": count(587, 8965300)}, "more_than_eligible"),
        ({"eligible": count(839, 6021539)}, "more_than_eligible"),
        ({"invalid": count(252, 1)}, "more_than_eligible"),
        ({"items": [OutsideItem(number=2, votes={"for": count(588, 6021540)})]}, "items"),
        ({"items": [OutsideItem(number=1, votes={"maybe": count(588, 6021540)})]}, "choices"),
        (
            {
                "items": [
                    OutsideItem(
                        number=1, votes={"for": count(589, 6021541), "against": count(-1, -1)}
                    )
                ]
            },
            "negative",
        ),
    ],
)
def test_sums_that_do_not_fit_are_refused(change: dict[str, Any], problem: str) -> None:
    with pytest.raises(rules_of.OutsideResultInvalid) as refused:
        rules_of.outside_result(
            preset("civil278_special"), [PollItem(number=1, text="车位")], d3(**change)
        )
    assert refused.value.facts["problem"] == problem


@pytest.mark.parametrize(
    ("name", "present", "problem"),
    [
        ("owners_committee_meeting", None, "present"),
        ("owners_committee_meeting", 4, "present"),  # five voted
        ("owners_committee_meeting", 8, "present"),  # of seven
        ("civil279_unanimous", 5, "present"),
        ("owners_committee_meeting", 5, None),
    ],
)
def test_who_attended_belongs_to_a_meeting(
    name: str, present: int | None, problem: str | None
) -> None:
    sums = OutsideCount(
        eligible=Count(heads=7),
        valid=Count(heads=5),
        present=present,
        items=[OutsideItem(number=1, votes={"for": Count(heads=4), "against": Count(heads=1)})],
    )
    items = [PollItem(number=1, text="续聘")]
    if problem is None:
        result = rules_of.outside_result(preset(name), items, sums)
        assert (result.quorum_reached, result.verdict) == (True, Verdict.PASSED)
        return
    with pytest.raises(rules_of.OutsideResultInvalid) as refused:
        rules_of.outside_result(preset(name), items, sums)
    assert refused.value.facts["problem"] == problem
