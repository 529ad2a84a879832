"""Packs of polls that were really held, through commands and database, and the verifier's word."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import select

from api.phrases import write
from consultation.append_only import protect, unprotect
from consultation.community.tables import OrgKind
from consultation.journal import JournalEntry
from consultation.permissions import SYSTEM, Actor, Role
from consultation.polls import board, board_queries, receipts
from consultation.polls.commands import casting, certifying, correcting, drafting, packing
from consultation.polls.counting import result_digest
from consultation.polls.objections import CorrectionKind
from consultation.polls.pack import Edition, PackNotReady
from consultation.polls.pack_queries import head_line
from consultation.polls.paper import FormFate
from consultation.polls.preset_files import presets
from consultation.polls.presets import BallotChannel, BallotMode, Duplicates, Revote
from consultation.polls.queries import frozen_roll
from consultation.polls.rules import NotOnRoll, PollItem, PollState
from consultation.polls.tables import CountSignature, Poll, SignerRole
from consultation.refusals import NotPermitted
from consultation.topics.tables import Document
from tests.consultation.polls.stage import Stage
from tests.consultation.polls.test_hands import count as count_hands
from tests.consultation.polls.test_hands import meeting_poll, totals
from tests.consultation.polls.test_mandates import register
from tests.consultation.polls.test_mandates import vote as proxy_vote
from tests.consultation.polls.test_objections import announced as roll_announced
from tests.consultation.polls.test_objections import confirm, correction, file, propose
from tests.consultation.polls.test_paper import ONE, TWO, enter, fate, issue, print_forms, settle
from tests.consultation.polls.test_recounts import a_close_poll
from tests.verifier import failing


async def pack(
    stage: Stage, poll_id: UUID, edition: Edition = Edition.FULL, actor: Actor = SYSTEM
) -> dict[str, bytes]:
    async with stage.db.begin(actor) as tx:
        return await packing.make_pack(tx, poll_id, edition)


async def signed_receipt(stage: Stage, poll_id: UUID, person: UUID) -> dict[str, Any]:
    async with stage.db.read(Actor(person_id=person)) as tx:
        poll = await tx.session.get_one(Poll, poll_id)
        receipt = await receipts.own_receipt(tx, poll)
    return {
        "poll_id": str(receipt.poll_id),
        "receipt": receipt.receipt,
        "include_by": receipt.include_by,
        "manifest_hash": receipt.manifest_hash,
        "signature": receipt.signature,
    }


async def next_round(stage: Stage) -> None:
    stage.clock.now = board.next_round(stage.clock.now)
    await stage.work()


async def notice(stage: Stage, poll_id: UUID) -> str:
    return ((await stage.load(poll_id)).manifest_hash or "")[:16]


async def test_an_owners_poll_can_be_counted_again_from_its_pack(
    stage: Stage, tmp_path: Path
) -> None:
    poll, owners = await stage.lift_poll()
    await stage.vote(poll.id, owners, "fffffffffaao")
    mine = await signed_receipt(stage, poll.id, owners[0])
    await next_round(stage)
    await stage.published(poll.id)

    files = await pack(stage, poll.id)
    assert await pack(stage, poll.id) == files  # byte by byte
    code = await notice(stage, poll.id)
    assert failing(tmp_path, files, notice=code, receipts=[mine]) == {}
    result = json.loads(files["tally.json"])["result"]
    assert result == (await stage.load(poll.id)).result.model_dump(mode="json")  # type: ignore[union-attr]


async def test_a_pack_tells_that_the_poll_was_extended_and_when(
    stage: Stage, tmp_path: Path
) -> None:
    poll, owners = await stage.lift_poll()
    await stage.vote(poll.id, owners[:3], "fff")
    later = poll.closes_at + timedelta(days=2)
    stage.clock.now = poll.closes_at - timedelta(hours=2)
    async with stage.db.begin(stage.secretary) as tx:
        await drafting.extend_poll(tx, poll.id, closes_at=later, reason="参与不足", write=write)
    await stage.vote(poll.id, owners[3:], "f" * 9)
    await stage.published(poll.id)

    files = await pack(stage, poll.id)
    assert failing(tmp_path, files, notice=await notice(stage, poll.id)) == {}
    certificate = json.loads(json.loads(files["certificate.json"])["content"])
    assert certificate["extension"] == {
        "from": board.instant(poll.closes_at),
        "to": board.instant(later),
        "at": board.instant(poll.closes_at - timedelta(hours=2)),
    }
    assert certificate["closed_at"] == board.instant(later)


@pytest.mark.parametrize("first", ["phone", "paper"])
async def test_a_sheet_that_nobody_can_read_takes_no_ballot_away(
    stage: Stage, tmp_path: Path, first: str
) -> None:
    rule = {"channels": [*BallotChannel], "duplicates": Duplicates.PAPER_PREVAILS}
    poll, people = await stage.household_poll(6, mode=BallotMode.NAMED, rule=rule)
    await print_forms(stage, poll.id, 1, 1)
    await issue(stage, poll.id, 1, 1)
    if first == "phone":
        await stage.cast(poll.id, people[0], "for")
    for who in (ONE, TWO):
        await enter(stage, poll.id, 1, who, None)
    if first == "paper":
        await stage.cast(poll.id, people[0], "for")
    poll = await stage.published(poll.id)

    assert poll.result is not None
    assert (poll.result.valid.heads, poll.result.invalid.heads) == (1, 0)
    assert poll.result.items[0].votes_for.heads == 1
    files = await pack(stage, poll.id)
    assert failing(tmp_path, files, notice=await notice(stage, poll.id)) == {}


async def test_a_pack_of_a_close_result_names_who_counted_again(
    stage: Stage, tmp_path: Path
) -> None:
    poll = await a_close_poll(stage, BallotMode.NAMED)
    published = await stage.published(poll.id)
    assert published.recount_due_at is not None

    files = await pack(stage, poll.id)
    assert failing(tmp_path, files, notice=await notice(stage, poll.id)) == {}
    signed = json.loads(json.loads(files["certificate.json"])["content"])["signatures"]
    assert [one["recount"] for one in signed].count(True) == 2


async def test_the_public_pack_opens_neither_roll_nor_ballots_nor_areas(
    stage: Stage, tmp_path: Path
) -> None:
    poll, owners = await stage.lift_poll()
    await stage.vote(poll.id, owners, "fffffffffaao")
    await stage.published(poll.id)

    files = await pack(stage, poll.id, Edition.PUBLIC)
    assert failing(tmp_path, files, notice=await notice(stage, poll.id)) == {}
    for name in ("roll.jsonl", "ballots.jsonl"):
        lines = [json.loads(line) for line in files[name].splitlines()]
        assert {tuple(line) for line in lines} == {("leaf",)}
    tally = json.loads(files["tally.json"])
    assert tally["withheld"] == ["roll", "ballots", "areas"]
    counted = (await stage.load(poll.id)).result
    assert counted is not None
    for tallied in counted.items[0].tallies:
        if tallied.votes.area_dm2:
            assert str(tallied.votes.area_dm2).encode() not in files["tally.json"]


async def test_nobody_can_try_out_areas_against_a_digest_in_public(stage: Stage) -> None:
    """Who knows the homes can work out the whole result for each way in which they may have voted;
    only in the full edition is what the digest is made of besides."""
    poll, owners = await stage.lift_poll()
    await stage.vote(poll.id, owners, "fffffffffffa")
    poll = await stage.published(poll.id)
    assert poll.result is not None
    full, public = await pack(stage, poll.id), await pack(stage, poll.id, Edition.PUBLIC)
    tally, shown = json.loads(full["tally.json"]), json.loads(public["tally.json"])

    def tried(salt: bytes | None) -> str:
        assert poll.result is not None
        text, roll = poll.text_hash or "", poll.roll_digest or ""
        bound = {"poll_id": poll.id, "text_hash": text, "roll_digest": roll}
        return result_digest(poll.result, **bound, salt=salt)  # type: ignore[arg-type]

    assert shown["result_digest"] == tally["result_digest"] == tried(bytes.fromhex(tally["salt"]))
    assert shown["salt"] is None
    assert tried(None) not in b"".join(public.values()).decode()
    assert tally["salt"] not in b"".join(public.values()).decode()


async def test_no_pack_holds_a_name_a_person_or_a_label(stage: Stage) -> None:
    poll, owners = await stage.lift_poll()
    await stage.vote(poll.id, owners, "f" * 12)
    await stage.published(poll.id)
    async with stage.db.read() as tx:
        places = (await frozen_roll(tx, await tx.session.get_one(Poll, poll.id))).values()
    unwanted = [str(owner) for owner in owners] + [place.label for place in places]
    unwanted += [str(stage.world.id(name)) for name in ("teller1", "teller2", "supervisor")]

    for edition in Edition:
        text = b"".join((await pack(stage, poll.id, edition)).values()).decode()
        assert [one for one in unwanted if one in text] == []


async def test_a_sealed_poll_can_be_counted_again_from_its_trackers(
    stage: Stage, tmp_path: Path
) -> None:
    poll, people = await stage.household_poll(30)
    kept = []
    for index, person in enumerate(people[:24]):
        cast = await stage.cast_sealed(poll.id, person, ("for", "against", "abstain")[index % 3])
        mine = await signed_receipt(stage, poll.id, person)
        assert mine["receipt"] == cast.receipt
        kept.append({**mine, "tracker": cast.tracker})
    await next_round(stage)
    await stage.open_box(poll.id)
    await stage.work()  # key and envelopes are destroyed
    await stage.published(poll.id)

    files = await pack(stage, poll.id)
    assert files == await pack(stage, poll.id, Edition.PUBLIC)  # it is public as it is
    code = await notice(stage, poll.id)
    assert failing(tmp_path, files, notice=code, receipts=kept) == {}
    assert len(files["ballots.jsonl"].splitlines()) == 24


async def test_a_meeting_and_several_items_can_be_counted_again(
    stage: Stage, tmp_path: Path
) -> None:
    community = stage.world.community
    members = await stage.assembly(community, 21, OrgKind.RESIDENTS_COMMITTEE)
    topic = await stage.topic("fund_allocation", community)
    meeting = await stage.meeting(topic, members[:18])
    items = [PollItem(number=n, text=f"项目{n}", cost_fen=n * 1_000_000) for n in (1, 2, 3)]
    poll = await stage.opened(
        "fund_allocation",
        topic,
        community,
        items=items,
        budget_fen=4_000_000,
        meeting_id=meeting.id,
    )
    numbers = [
        place.number
        for place in (await stage.roll(poll.id)).values()
        if place.person_id in members[:18]
    ]
    votes = {
        number: [(n, ["for" if index > n * 3 else "against"]) for n in (1, 2, 3)]
        for index, number in enumerate(sorted(numbers))
    }
    async with stage.db.begin(stage.world.as_("teller1", Role.TELLER)) as tx:
        await casting.record_meeting_votes(tx, poll.id, votes, channel=BallotChannel.SHOW_OF_HANDS)
    await stage.published(poll.id)

    files = await pack(stage, poll.id)
    assert failing(tmp_path, files, notice=await notice(stage, poll.id)) == {}


async def test_paper_mandates_and_phones_can_be_counted_again_together(
    stage: Stage, tmp_path: Path
) -> None:
    """An invalid form, a proxy whose principal voted after all, a form beside a phone, and a form
    that was never issued."""
    poll, owners = await stage.lift_poll()
    (holder,) = await stage.people(1, poll.community_id)
    for number in (1, 2):
        await register(stage, poll, number, holder)
        await proxy_vote(stage, poll, number, Actor(person_id=holder))
    await stage.cast(poll.id, owners[1], "against")  # the principal's own vote
    await stage.vote(poll.id, owners[4:], "ffffffaa")
    await print_forms(stage, poll.id, 1, 4)
    for form, place, choice in ((1, 3, "for"), (2, 4, None), (3, 12, "against")):
        await issue(stage, poll.id, form, place)
        for teller in (ONE, TWO):
            await enter(stage, poll.id, form, teller, choice)
    await settle(stage, poll.id, ("clerk", Role.CLERK), fate(FormFate.UNUSED, 4))
    await next_round(stage)
    await stage.published(poll.id)

    files = await pack(stage, poll.id)
    assert failing(tmp_path, files, notice=await notice(stage, poll.id)) == {}
    report = json.loads(files["reconciliation.json"])
    lines = {line["channel"]: line for line in report["channels"]}
    assert (lines["paper"]["invalid"], lines["paper"]["set_aside"]) == (1, 1)
    assert (lines["proxy"]["counted"], lines["proxy"]["replaced"]) == (1, 1)
    assert report["paper"]["unused"] == 1


async def test_a_show_of_hands_can_be_counted_again(stage: Stage, tmp_path: Path) -> None:
    poll, members = await meeting_poll(stage)
    await count_hands(stage, poll, 57, totals((40, 10, 7), (20, 30, 7)), members[:2])
    await stage.published(poll.id)

    files = await pack(stage, poll.id)
    assert json.loads(files["tally.json"])["hands"]["heads"] == 57
    assert failing(tmp_path, files, notice=await notice(stage, poll.id)) == {}


async def test_an_upheld_objection_makes_another_manifest_and_the_pack_holds(
    stage: Stage, tmp_path: Path
) -> None:
    poll, owners, units = await roll_announced(stage)
    before = poll.manifest_hash
    (buyer,) = await stage.people(1, poll.community_id)
    await stage.sell(poll, owners[3], buyer)
    objection = await file(stage, poll.id, buyer)
    await propose(
        stage,
        objection,
        correction=correction(CorrectionKind.ADD_VOTER, person_id=buyer, unit_ids=[units[3]]),
    )
    await confirm(stage, objection)
    poll = await stage.load(poll.id)
    assert poll.manifest_hash != before
    async with stage.db.read() as tx:
        said = await tx.session.get(Document, poll.notice_id)
        assert said is not None
        assert (poll.manifest_hash or "x")[:16] in said.body  # the corrected notice

    stage.clock.now = poll.opens_at
    await stage.work()
    await stage.cast(poll.id, buyer, "for")
    await next_round(stage)
    await stage.published(poll.id)
    files = await pack(stage, poll.id)
    assert failing(tmp_path / "new", files, notice=await notice(stage, poll.id)) == {}
    assert "notice" in failing(tmp_path / "old", files, notice=(before or "")[:16])


async def test_a_ballot_dropped_by_the_owner_of_the_database_is_noticed(
    stage: Stage, tmp_path: Path
) -> None:
    poll, owners = await stage.lift_poll()
    await stage.vote(poll.id, owners, "f" * 11 + "a")
    mine = await signed_receipt(stage, poll.id, owners[11])
    dialect = "sqlite" if stage.db.is_sqlite else "postgresql"
    async with stage.db.begin() as tx:
        connection = await tx.session.connection()
        for statement in (
            *unprotect(dialect, ["ballot"]),
            "DELETE FROM ballot WHERE CAST(choices AS VARCHAR) LIKE '%against%'",
            "UPDATE poll_turnout SET heads = heads - 1, area_dm2 = area_dm2 - 1 "
            "WHERE shard = (SELECT MAX(shard) FROM poll_turnout WHERE heads > 0)",
            *protect(dialect, ["ballot"]),
        ):
            await connection.exec_driver_sql(statement)
    await stage.published(poll.id)

    failed = failing(tmp_path, await pack(stage, poll.id), receipts=[mine])
    assert failed == {"receipts": "BREACH: the ballot is not on the board"}


async def test_a_board_that_breaks_its_promise_is_noticed(stage: Stage, tmp_path: Path) -> None:
    """No batch went on the board until the close, days later."""
    poll, owners = await stage.lift_poll()
    await stage.vote(poll.id, owners, "f" * 12)
    mine = await signed_receipt(stage, poll.id, owners[0])
    await stage.published(poll.id)

    failed = failing(tmp_path, await pack(stage, poll.id), receipts=[mine])
    assert failed.keys() == {"receipts"}
    assert failed["receipts"].startswith("BREACH: promised for")


async def test_a_head_noted_while_the_poll_ran_is_one_of_its_board(
    stage: Stage, tmp_path: Path
) -> None:
    poll, owners = await stage.lift_poll()
    await stage.vote(poll.id, owners[:5], "f" * 5)
    await next_round(stage)
    async with stage.db.read() as tx:
        (noted,) = await board_queries.all_heads(tx, poll.id)
    await stage.vote(poll.id, owners[5:], "f" * 7)
    await stage.published(poll.id)

    files = await pack(stage, poll.id)
    assert noted.size == 5
    assert failing(tmp_path, files, heads=[head_line(noted)]) == {}


async def test_who_gets_which_pack(stage: Stage) -> None:
    poll, owners = await stage.lift_poll()
    await stage.vote(poll.id, owners, "f" * 12)
    with pytest.raises(PackNotReady):
        await pack(stage, poll.id, actor=stage.world.as_("teller1", Role.TELLER))
    await stage.published(poll.id)

    for actor in (
        stage.world.as_("teller1", Role.TELLER),
        stage.world.as_("supervisor", Role.SUPERVISOR),
        Actor(person_id=owners[0]),
    ):
        assert await pack(stage, poll.id, actor=actor)
    async with stage.db.read() as tx:
        read = await tx.session.exec(
            select(JournalEntry).where(JournalEntry.type == "poll.ballots_read")
        )
        assert {entry.actor_id for entry in read} == {
            stage.world.id("teller1"),
            stage.world.id("supervisor"),
            owners[0],
        }
    for actor in (
        stage.world.as_("resident1"),
        stage.clerk,
        stage.secretary,
        stage.world.as_("company", Role.PROPERTY_COMPANY),
    ):
        with pytest.raises((NotOnRoll, NotPermitted)):
            await pack(stage, poll.id, actor=actor)
        assert await pack(stage, poll.id, Edition.PUBLIC, actor)


async def test_who_voted_how_in_a_household_poll_is_not_for_the_neighbours(stage: Stage) -> None:
    """Owners may inspect the records of their decision; nobody else may who is no teller."""
    estate, people = await stage.households(8)
    topic = await stage.topic("household_poll", estate)
    poll = await stage.opened("household_poll", topic, estate)
    await stage.vote(poll.id, people, "f" * 8)
    await stage.published(poll.id)

    with pytest.raises(NotPermitted):
        await pack(stage, poll.id, actor=Actor(person_id=people[0]))
    assert await pack(stage, poll.id, Edition.PUBLIC, Actor(person_id=people[0]))


async def test_a_recount_that_changes_the_result_is_a_new_version_that_names_the_old(
    stage: Stage, tmp_path: Path
) -> None:
    """The first count of this poll was stored wrong; other people sign the count again."""
    poll, owners = await stage.lift_poll()
    await stage.vote(poll.id, owners, "f" * 4 + "a" * 8)
    closed = await stage.closed(poll.id)
    assert closed.result is not None
    right, wrong = closed.result, closed.result.model_copy(update={"by_hand": 1})
    await store(stage, poll.id, wrong)
    await stage.published(poll.id)
    files = await pack(stage, poll.id)
    assert "recount" in failing(tmp_path / "wrong", files)

    await store(stage, poll.id, right)
    async with stage.db.begin(SYSTEM) as tx:
        row = await tx.session.get_one(Poll, poll.id)
        people = (
            (stage.world.id("clerk"), SignerRole.TELLER),
            (stage.world.id("deputy"), SignerRole.TELLER),
            (stage.world.id("inspector"), SignerRole.SUPERVISOR),
        )
        for person, role in people:
            tx.session.add(
                CountSignature(
                    poll_id=row.id,
                    person_id=person,
                    community_id=row.community_id,
                    role=role,
                    result_digest=row.result_digest or "",
                    at=tx.now,
                )
            )
        await tx.session.flush()
        with pytest.raises(ValueError, match="says why"):
            await certifying.certify(tx, row)
        second = await certifying.certify(tx, row, reason="复核后更正")
        assert second is not None
        assert second.version == 2
        assert await certifying.certify(tx, row, reason="复核后更正") == second

    files = await pack(stage, poll.id)
    assert failing(tmp_path / "right", files, notice=await notice(stage, poll.id)) == {}
    assert len(json.loads(files["certificate.json"])["earlier"]) == 1


async def test_a_close_count_that_is_corrected_before_its_publication_is_counted_again_too(
    stage: Stage, tmp_path: Path
) -> None:
    """Version 1 of its certificate needs four tellers like every other; none who signed the count
    that was wrong is among them."""
    poll, owners = await stage.lift_poll()
    await stage.vote(poll.id, owners, "f" * 9 + "a" * 3)
    closed = await stage.closed(poll.id)
    assert closed.result is not None
    await store(stage, poll.id, closed.result.model_copy(update={"by_hand": 1}))
    tellers = (*await stage.other_tellers(), "teller1", "teller2")
    async with stage.db.begin(stage.world.as_("supervisor", Role.SUPERVISOR)) as tx:
        ordered = await correcting.order_correction(
            tx, poll.id, reason="复核发现已存结果与票箱不符"
        )
    for number, name in enumerate(tellers, 1):
        async with stage.db.begin(stage.world.as_(name, Role.TELLER)) as tx:
            await correcting.sign_correction(tx, poll.id, digest=ordered.result_digest, write=write)
        now = await stage.load(poll.id)
        assert now.state is (PollState.PUBLISHED if number == 4 else PollState.CLOSED)
        assert (now.recount_due_at is None) is (number < 2)

    files = await pack(stage, poll.id)
    assert failing(tmp_path, files, notice=await notice(stage, poll.id)) == {}
    certificate = json.loads(json.loads(files["certificate.json"])["content"])
    assert certificate["version"] == 1
    counted = [one["recount"] for one in certificate["signatures"] if one["role"] == "teller"]
    assert sorted(counted) == [False, False, True, True]


async def test_a_poll_that_closes_days_late_can_be_counted_again(
    stage: Stage, tmp_path: Path
) -> None:
    """The machine was off over a weekend; nobody could vote after the end."""
    poll, owners = await stage.lift_poll()
    await stage.vote(poll.id, owners, "f" * 12)
    stage.clock.now = poll.closes_at + timedelta(days=2)
    await stage.work()
    await stage.countersign_all(poll.id)
    await stage.signed(poll.id)

    files = await pack(stage, poll.id)
    assert json.loads(files["tally.json"])["closed_at"] == board.instant(stage.clock.now)
    assert failing(tmp_path, files, notice=await notice(stage, poll.id)) == {}


async def test_a_pack_tells_how_many_envelopes_were_replaced(stage: Stage, tmp_path: Path) -> None:
    poll, people = await stage.household_poll(9, rule={"revote": Revote.LAST_VALID_BEFORE_CLOSE})
    for person in people[:6]:
        await stage.cast_sealed(poll.id, person, "for")
    await next_round(stage)
    for person in (*people[:2], people[0]):
        await stage.cast_sealed(poll.id, person, "against")
    await stage.open_box(poll.id)
    await stage.work()
    await stage.published(poll.id)

    files = await pack(stage, poll.id)
    assert failing(tmp_path, files, notice=await notice(stage, poll.id)) == {}
    report = json.loads(files["reconciliation.json"])
    assert report["envelopes"] == {"recorded": 9, "opened": 6, "replaced": 3}


async def store(stage: Stage, poll_id: UUID, result: Any) -> None:
    async with stage.db.begin(SYSTEM) as tx:
        poll = await tx.session.get_one(Poll, poll_id)
        poll.result = result
        poll.result_digest = result_digest(
            result,
            poll_id=poll.id,
            text_hash=poll.text_hash or "",
            roll_digest=poll.roll_digest or "",
            salt=poll.result_salt,
        )


def test_every_preset_could_be_checked_by_the_verifier() -> None:
    """It knows every kind of question, base, measure and rule that a preset can have."""
    known = {
        "bases": {"eligible", "participating", "present", "members", "votes_cast"},
        "kinds": {"motion", "single_choice", "multiple_choice", "election", "rating"},
    }
    for preset in presets().values():
        assert {one.of.value for one in (*preset.turnout, *preset.approval)} <= known["bases"]
        assert {one.value for one in preset.questions} <= known["kinds"]
        assert preset.allocation.value in ("none", "budget_in_vote_order")
