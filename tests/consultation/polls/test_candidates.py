"""Who stands for election helps nobody to vote, carries no mandate and counts nothing (domain 4.4,
5)."""

from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col

from api.phrases import write
from consultation.community.tables import Node, NodeKind
from consultation.permissions import Actor, Role
from consultation.polls.commands import casting, closing, drafting, mandates, paper
from consultation.polls.drafts import Nominee
from consultation.polls.items import PollItemsInvalid
from consultation.polls.mandates import HolderNotAllowed, MandateRelation
from consultation.polls.presets import BallotChannel, QuestionKind
from consultation.polls.rules import NotImpartial, Option, PollItem
from consultation.polls.tables import Poll
from consultation.refusals import NotFound, NotPermitted
from consultation.topics.tables import Topic
from tests.consultation.polls.stage import Stage
from tests.consultation.polls.test_mandates import register
from tests.world import World

SHA = "a" * 64
PRESET = "civil278_general"
OPTIONS = [Option(code="a", text="张"), Option(code="b", text="王")]
ELECTION = PollItem(
    number=1, text="选举委员", kind=QuestionKind.ELECTION, options=OPTIONS, most=1, seats=1
)
STANDING = ("grid_worker", "teller1", "resident6")
"""Those of the world who stand for election in these tests."""


async def estate(stage: Stage) -> tuple[Node, list[UUID], Topic]:
    place = await stage.place(NodeKind.ESTATE, "新苑", stage.world.community)
    building = await stage.place(NodeKind.BUILDING, "1幢", place)
    owners = await stage.people(4, stage.world.community.id)
    await stage.homes(place, building, [9000] * 4, owners)
    return place, owners, await stage.topic(PRESET, place)


async def election(stage: Stage) -> tuple[Poll, list[UUID]]:
    place, owners, topic = await estate(stage)
    options = [Option(code=code, text=code) for code in "abc"]
    item = ELECTION.model_copy(update={"options": options})
    nominees = [
        Nominee(item=1, code=code, person_id=stage.world.id(name))
        for code, name in zip("abc", STANDING, strict=True)
    ]
    poll = await stage.opened(PRESET, topic, place, items=[item], candidates=nominees)
    return poll, owners


@pytest.mark.parametrize(
    ("named", "problem"),
    [
        ([("a", "resident1")], "candidates_missing"),
        ([("a", "resident1"), ("b", "resident1")], "candidates_missing"),
        ([("a", "resident1"), ("c", "resident2")], "candidates_unknown"),
        ([("a", "resident1"), ("a", "resident2")], "candidates_unknown"),
    ],
)
async def test_every_option_of_an_election_is_somebody(
    stage: Stage, world: World, named: list[tuple[str, str]], problem: str
) -> None:
    place, _, topic = await estate(stage)
    nominees = [Nominee(item=1, code=code, person_id=world.id(name)) for code, name in named]
    with pytest.raises(PollItemsInvalid) as refused:
        await stage.announced(PRESET, topic, place, items=[ELECTION], candidates=nominees)
    assert refused.value.facts == {"problem": problem}


async def test_a_candidate_is_named_by_phone_or_id_and_must_be_known(
    stage: Stage, world: World
) -> None:
    place, _, topic = await estate(stage)
    nobody = [Nominee(item=1, code="a", phone="19911112222")]
    with pytest.raises(NotFound):
        await stage.drafted(PRESET, topic, place, items=[ELECTION], candidates=nobody)
    both = [
        Nominee(item=1, code="a", phone=f"1990000{list(world.people).index('resident2'):04d}"),
        Nominee(item=1, code="b", person_id=world.id("resident3")),
    ]
    poll = await stage.drafted(PRESET, topic, place, items=[ELECTION], candidates=both)
    people = {one.code: one.person_id for one in poll.candidates}
    assert people == {"a": world.id("resident2"), "b": world.id("resident3")}
    async with stage.db.begin(stage.secretary) as tx:
        await drafting.announce_poll(tx, poll.id, write=write)


async def help_to_vote(stage: Stage, poll: Poll, who: tuple[str, Role], **people: Any) -> None:
    async with stage.db.begin(stage.world.as_(*who)) as tx:
        await casting.record_ballot(
            tx,
            poll.id,
            1,
            [(1, ["a"])],
            channel=BallotChannel.ASSISTED,
            consent_note="本人口述",
            **people,
        )


async def test_a_candidate_helps_nobody_to_vote(stage: Stage, world: World) -> None:
    poll, _ = await election(stage)
    clerk, grid_worker = ("clerk", Role.CLERK), ("grid_worker", Role.GRID_WORKER)
    helper, standing = world.id("resident5"), world.id("resident6")

    with pytest.raises(NotImpartial):  # as whom the voter chose
        await help_to_vote(stage, poll, clerk, helper_id=standing)
    with pytest.raises(NotImpartial):  # as who enters it
        await help_to_vote(stage, poll, grid_worker, helper_id=helper)
    alone = {"helper_id": world.id("clerk"), "witness_id": world.id("teller1")}
    with pytest.raises(NotImpartial):  # as the second member of staff
        await help_to_vote(stage, poll, clerk, **alone)
    await help_to_vote(stage, poll, clerk, helper_id=helper)


async def test_a_candidate_comes_to_nobodys_door_and_reads_no_paper(
    stage: Stage, world: World
) -> None:
    poll, _ = await election(stage)

    async def issue(form: int, second: str) -> None:
        async with stage.db.begin(stage.clerk) as tx:
            await paper.issue_form(
                tx,
                poll.id,
                form,
                number=form,
                signature_sha256=SHA,
                second_staff_id=world.id(second),
            )

    async with stage.db.begin(stage.clerk) as tx:
        await paper.print_forms(tx, poll.id, first=1, last=4)
    with pytest.raises(NotImpartial):
        await issue(1, "grid_worker")
    await issue(1, "teller2")
    with pytest.raises(NotImpartial):
        async with stage.db.begin(world.as_("teller1", Role.TELLER)) as tx:
            await paper.enter_form(tx, poll.id, 1, [(1, ["a"])], scans=[SHA])
    async with stage.db.begin(world.as_("teller2", Role.TELLER)) as tx:
        await paper.enter_form(tx, poll.id, 1, [(1, ["a"])], scans=[SHA])


async def test_a_candidate_carries_no_mandate(stage: Stage, world: World) -> None:
    poll, _ = await election(stage)

    async def register(holder: str) -> None:
        async with stage.db.begin(stage.clerk) as tx:
            await mandates.register_mandate(
                tx,
                poll.id,
                1,
                holder_id=world.id(holder),
                holder_phone=None,
                relation=MandateRelation.SPOUSE,
                document_sha256=SHA,
                instruction=[(1, ["a"])],
                valid_until=poll.closes_at,
            )

    with pytest.raises(HolderNotAllowed) as refused:
        await register("resident6")
    assert refused.value.facts == {"problem": "candidate"}
    await register("resident5")


async def test_a_candidate_does_not_sign_the_count(stage: Stage, world: World) -> None:
    poll, owners = await election(stage)
    await stage.cast(poll.id, owners[0], "a")
    closed = await stage.closed(poll.id)
    for name, refuses in (("teller1", True), ("teller2", False)):
        try:
            async with stage.db.begin(world.as_(name, Role.TELLER)) as tx:
                digest = closed.result_digest or ""
                await closing.sign_count(tx, poll.id, digest=digest, write=write)
        except NotImpartial:
            assert refuses
        else:
            assert not refuses


async def test_candidates_do_not_change_once_people_vote(stage: Stage) -> None:
    poll, _ = await election(stage)
    change = update(Poll).where(col(Poll.id) == poll.id).values(candidates=[])
    with pytest.raises(IntegrityError, match="poll is append-only"):
        async with stage.db.begin() as tx:
            await tx.session.exec(change)


async def test_who_stands_is_named_over_http_and_shown_to_nobody(
    client: httpx.AsyncClient, stage: Stage, world: World
) -> None:
    place, _, topic = await estate(stage)
    draft = stage.draft(PRESET, place)
    phone = f"1990000{list(world.people).index('resident2'):04d}"
    body = {
        "preset": draft.preset,
        "scope_node_id": str(place.id),
        "question": "选举",
        "items": [ELECTION.model_dump(mode="json", exclude={"number"})],
        "opens_at": draft.opens_at.isoformat(),
        "closes_at": draft.closes_at.isoformat(),
        "candidates": [
            {"item": 1, "code": "a", "phone": phone},
            {"item": 1, "code": "b", "person_id": str(world.id("resident3"))},
        ],
    }
    path = f"/v1/topics/{topic.id}/poll"
    drafted = await client.put(path, json=body, headers=world.headers("clerk", Role.CLERK))
    assert drafted.status_code == 200, drafted.text
    poll_id = drafted.json()["id"]
    secretary = world.headers("secretary", Role.PARTY_SECRETARY)
    announced = await client.put(f"/v1/polls/{poll_id}/announcement", headers=secretary)
    assert announced.status_code == 200, announced.text
    manifest = await client.get(f"/v1/polls/{poll_id}/manifest", headers=secretary)
    for answer in (drafted, announced, manifest):
        for person in ("resident2", "resident3"):
            assert str(world.id(person)) not in answer.text
    body["candidates"] = [{"item": 1, "code": "a"}]
    refused = await client.put(path, json=body, headers=world.headers("clerk", Role.CLERK))
    assert (refused.status_code, refused.json()["code"]) == (422, "malformed-request")


async def mandates_seen(
    stage: Stage, poll: Poll, actor: Actor
) -> list[tuple[int, str, str, str | None]]:
    async with stage.db.read(actor) as tx:
        found = await mandates.read_mandates(tx, poll.id, after=(0, 0), limit=50)
        return [(row.number, row.principal, row.holder, row.state) for _, row in found]


async def test_the_mandates_of_an_election_are_public_before_the_count_without_their_state(
    stage: Stage,
) -> None:
    place, owners, topic = await estate(stage)
    poll = await stage.opened(PRESET, topic, place, items=[ELECTION])
    held, other = await stage.people(2, poll.community_id)
    for number, holder in ((1, held), (2, other)):
        await register(stage, poll, number, holder, instruction="a")
    async with stage.db.begin(Actor(person_id=held)) as tx:
        await mandates.cast_as_proxy(tx, poll.id, 1, [(1, ["a"])])

    label = {place.number: place.label for place in (await stage.roll(poll.id)).values()}
    everybody = [(1, label[1], "王*", None), (2, label[2], "王*", None)]
    visitor, resident = Actor(person_id=None), Actor(person_id=stage.world.id("resident2"))
    for reader in (visitor, resident):
        assert await mandates_seen(stage, poll, reader) == everybody
    mine = await mandates_seen(stage, poll, Actor(person_id=owners[0]))
    assert mine == [(*everybody[0][:3], "used"), everybody[1]]
    assert [row[3] for row in await mandates_seen(stage, poll, stage.clerk)] == [
        "used",
        "registered",
    ]

    await stage.published(poll.id)
    assert (await mandates_seen(stage, poll, visitor))[0][3] == "used"


async def test_the_mandates_of_other_polls_stay_with_who_gave_and_holds_them(stage: Stage) -> None:
    poll, _ = await stage.lift_poll()
    (holder,) = await stage.people(1, poll.community_id)
    await register(stage, poll, 1, holder)
    with pytest.raises(NotPermitted):
        await mandates_seen(stage, poll, Actor(person_id=None))
    stranger = Actor(person_id=stage.world.id("resident2"))
    assert await mandates_seen(stage, poll, stranger) == []
