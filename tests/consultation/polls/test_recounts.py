"""A close result is counted again by other people before anybody hears of it."""

from uuid import UUID

import httpx
import pytest
from sqlmodel import select

from consultation.append_only import unprotect
from consultation.events.polls import PollRecountDue, PollResultPublished
from consultation.journal import JournalEntry
from consultation.permissions import Role
from consultation.polls import recounts, rules
from consultation.polls.commands import closing
from consultation.polls.counting import Result, Vote, count
from consultation.polls.presets import BallotMode, QuestionKind, Recount, RulePreset
from consultation.polls.rules import Option, PollItem, PollState
from consultation.polls.tables import Poll
from consultation.refusals import NotPermitted
from tests.consultation.polls.counting_cases import preset, spread, tally, voter
from tests.consultation.polls.stage import Stage
from tests.world import World

RULE = Recount(ballots=3, share="1/200")


def closeness(name: str, heads: int, votes_for: int, *, area: int = 0) -> bool:
    """``votes_for`` of so many voters agree, the others object; all have the same area unless the
    first one has ``area`` more."""
    roll = spread(heads * 10_000, heads)
    roll[0] += area
    answers = "f" * votes_for + "a" * (heads - votes_for)
    rule = preset(name).model_copy(update={"recount": RULE})
    return recounts.is_close(rule, tally(name, roll, answers))


@pytest.mark.parametrize(
    ("name", "heads", "votes_for", "close"),
    [
        # more than half of 400: 201 are needed, 2 ballots are 0.5 %
        ("household_poll", 400, 201, True),
        ("household_poll", 400, 204, True),
        ("household_poll", 400, 205, False),
        ("household_poll", 400, 200, True),
        ("household_poll", 400, 198, True),
        ("household_poll", 400, 197, False),
        # of 2,000, 0.5 % are 10 ballots, and more than 3
        ("household_poll", 2000, 1001, True),
        ("household_poll", 2000, 1011, True),
        ("household_poll", 2000, 1012, False),
        ("household_poll", 2000, 991, True),
        ("household_poll", 2000, 990, False),
        # three quarters of heads and area; with equal areas both are near or both are not
        ("civil278_special", 400, 300, True),
        ("civil278_special", 400, 303, True),
        ("civil278_special", 400, 304, False),
        ("civil278_special", 400, 296, False),
    ],
)  # fmt: skip
def test_where_a_result_begins_to_be_close(
    name: str, heads: int, votes_for: int, close: bool
) -> None:
    assert closeness(name, heads, votes_for) is close


def test_a_motion_that_misses_two_bounds_is_close_only_if_both_are_near() -> None:
    # one head short of three quarters, and of the area far more is missing: a giant objects
    answers = "f" * 299 + "a" * 101
    roll = spread(400 * 10_000, 400)
    roll[-1] += 10_000_000
    rule = preset("civil278_special")
    assert rule.recount == RULE
    assert not recounts.is_close(rule, tally("civil278_special", roll, answers))
    assert closeness("civil278_special", 400, 299)


def test_without_a_rule_a_quorum_or_something_to_pass_nothing_is_close() -> None:
    assert preset("household_poll").recount is None
    whole = tally("household_poll", spread(0, 4), "ffaa")
    assert not recounts.is_close(preset("household_poll"), whole)
    with_rule = preset("household_poll").model_copy(update={"recount": RULE})
    assert recounts.is_close(with_rule, whole)
    assert not recounts.is_close(with_rule, tally("household_poll", spread(0, 100), "ff"))
    opinion = preset("open_poll").model_copy(update={"recount": RULE})
    assert not recounts.is_close(opinion, tally("open_poll", spread(0, 4), "ffaa"))


def choice(rule: RulePreset, item: PollItem, answers: list[list[str]]) -> Result:
    votes = [Vote(voter=voter(n), choices={"1": codes}) for n, codes in enumerate(answers)]
    return count(rule, [item], dict.fromkeys(map(voter, range(len(answers))), 0), votes)


@pytest.mark.parametrize(
    ("first", "second", "close"), [(60, 40, False), (52, 48, True), (50, 50, True), (57, 43, False)]
)
def test_a_choice_is_close_when_the_next_one_follows_at_once(
    first: int, second: int, close: bool
) -> None:
    rule = preset("household_poll").model_copy(update={"recount": RULE})
    options = [Option(code="a", text="甲"), Option(code="b", text="乙")]
    item = PollItem(number=1, text="选址", kind=QuestionKind.SINGLE_CHOICE, options=options)
    result = choice(rule, item, [["a"]] * first + [["b"]] * second)
    assert recounts.is_close(rule, result) is close


def test_an_election_is_close_when_the_first_loser_is() -> None:
    rule = preset("village_runoff")
    assert rule.recount == RULE
    options = [Option(code=code, text=code) for code in ("a", "b", "c")]
    item = PollItem(
        number=1, text="选举", kind=QuestionKind.ELECTION, options=options, most=2, seats=2
    )
    near = [["a", "b"]] * 60 + [["a", "c"]] * 58
    far = [["a", "b"]] * 80 + [["a", "c"]] * 38
    assert recounts.is_close(rule, choice(rule, item, near))
    assert not recounts.is_close(rule, choice(rule, item, far))


# ---- by whom ------------------------------------------------------------------------------------


@pytest.fixture
async def tellers(stage: Stage) -> None:
    """Two more."""
    await stage.other_tellers()


async def a_close_poll(stage: Stage, mode: BallotMode, letters: str = "ffffaaa.") -> Poll:
    poll, people = await stage.household_poll(8, mode=mode, rule={"recount": RULE})
    words = {"f": "for", "a": "against"}
    for person, letter in zip(people, letters, strict=True):
        if letter in words and mode is BallotMode.NAMED:
            await stage.cast(poll.id, person, words[letter])
        elif letter in words:
            await stage.cast_sealed(poll.id, person, words[letter])
    if mode is BallotMode.CONFIDENTIAL:
        await stage.open_box(poll.id)
        await stage.work()  # destroys it
    await stage.closed(poll.id)
    return await stage.load(poll.id)


async def told(stage: Stage, poll_id: UUID) -> list[str]:
    async with stage.db.read() as tx:
        rows = await tx.session.exec(
            select(JournalEntry.type).where(JournalEntry.stream == f"poll:{poll_id}")
        )
        return list(rows)


@pytest.mark.parametrize("mode", [BallotMode.NAMED, BallotMode.CONFIDENTIAL])
async def test_a_close_result_waits_for_two_other_tellers(
    stage: Stage, tellers: None, mode: BallotMode
) -> None:
    poll = await a_close_poll(stage, mode)
    await stage.sign(poll.id, "teller1", Role.TELLER)
    await stage.sign(poll.id, "supervisor", Role.SUPERVISOR)
    assert (await stage.load(poll.id)).recount_due_at is None
    waiting = await stage.sign(poll.id, "teller2", Role.TELLER)

    assert (waiting.state, waiting.recount_due_at) == (PollState.CLOSED, stage.clock.now)
    assert PollRecountDue.type in await told(stage, poll.id)
    assert PollResultPublished.type not in await told(stage, poll.id)
    for name in ("teller1", "teller2"):
        with pytest.raises(rules.RecountByOthers):
            await stage.sign(poll.id, name, Role.TELLER)
    await stage.sign(poll.id, "supervisor", Role.SUPERVISOR)  # signing again changes nothing

    third = await stage.sign(poll.id, "resident5", Role.TELLER)
    assert third.state is PollState.CLOSED
    again = await stage.sign(poll.id, "resident5", Role.TELLER)
    assert again.state is PollState.CLOSED
    fourth = await stage.sign(poll.id, "resident6", Role.TELLER)
    assert fourth.state is PollState.PUBLISHED
    assert (await told(stage, poll.id)).count(PollResultPublished.type) == 1


async def test_a_clear_result_does_not_wait(stage: Stage, tellers: None) -> None:
    poll, people = await stage.household_poll(20, mode=BallotMode.NAMED, rule={"recount": RULE})
    await stage.vote(poll.id, people, "f" * 20)
    assert (await stage.published(poll.id)).state is PollState.PUBLISHED


async def test_the_supervisor_has_a_clear_result_counted_again(
    stage: Stage, world: World, tellers: None
) -> None:
    poll, people = await stage.household_poll(20, mode=BallotMode.NAMED)
    await stage.vote(poll.id, people, "f" * 20)
    async with stage.db.begin(world.as_("supervisor", Role.SUPERVISOR)) as tx:
        with pytest.raises(rules.NotCounted):
            await closing.order_recount(tx, poll.id)
    await stage.closed(poll.id)
    for name, role in (("clerk", Role.CLERK), ("teller1", Role.TELLER)):
        with pytest.raises(NotPermitted):
            async with stage.db.begin(world.as_(name, role)) as tx:
                await closing.order_recount(tx, poll.id)
    for _ in range(2):
        async with stage.db.begin(world.as_("supervisor", Role.SUPERVISOR)) as tx:
            await closing.order_recount(tx, poll.id)
    assert (await told(stage, poll.id)).count(PollRecountDue.type) == 1

    for name, role in (
        ("teller1", Role.TELLER),
        ("teller2", Role.TELLER),
        ("supervisor", Role.SUPERVISOR),
        ("resident5", Role.TELLER),
    ):
        assert (await stage.sign(poll.id, name, role)).state is PollState.CLOSED
    assert (await stage.sign(poll.id, "resident6", Role.TELLER)).state is PollState.PUBLISHED


async def test_ballots_that_do_not_give_the_signed_count_publish_nothing(
    stage: Stage, tellers: None
) -> None:
    """Somebody with the database in their hands changes a ballot between the two counts."""
    poll = await a_close_poll(stage, BallotMode.NAMED)
    for name, role in (
        ("teller1", Role.TELLER),
        ("teller2", Role.TELLER),
        ("supervisor", Role.SUPERVISOR),
    ):
        await stage.sign(poll.id, name, role)
    async with stage.db.begin() as tx:
        connection = await tx.session.connection()
        dialect = "sqlite" if stage.db.is_sqlite else "postgresql"
        for statement in unprotect(dialect, ["ballot"]):
            await connection.exec_driver_sql(statement)
        await connection.exec_driver_sql(
            """UPDATE ballot SET choices = '{"1": ["abstain"]}'
            WHERE roll_entry_id = (SELECT min(CAST(roll_entry_id AS text)) FROM ballot)"""
            if stage.db.is_sqlite
            else """UPDATE ballot SET choices = '{"1": ["abstain"]}'
            WHERE CAST(roll_entry_id AS text) =
            (SELECT min(CAST(roll_entry_id AS text)) FROM ballot)"""
        )

    with pytest.raises(rules.RecountDiffers):
        await stage.sign(poll.id, "resident5", Role.TELLER)
    assert (await stage.load(poll.id)).state is PollState.CLOSED


async def test_the_recount_is_ordered_and_seen_over_http(
    client: httpx.AsyncClient, stage: Stage, world: World
) -> None:
    poll, people = await stage.household_poll(4, mode=BallotMode.NAMED)
    await stage.vote(poll.id, people, "ffff")
    await stage.closed(poll.id)
    supervisor = world.headers("supervisor", Role.SUPERVISOR)
    ordered = await client.put(f"/v1/polls/{poll.id}/recount", headers=supervisor)
    assert ordered.status_code == 200, ordered.text
    assert ordered.json()["recount_due_at"] is not None
    refused = await client.put(
        f"/v1/polls/{poll.id}/recount", headers=world.headers("clerk", Role.CLERK)
    )
    assert (refused.status_code, refused.json()["code"]) == (403, "not-permitted")
