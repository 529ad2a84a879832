"""Confidential polls: the double envelope, from the ballot to the published list."""

import asyncio
from datetime import timedelta
from secrets import token_urlsafe
from uuid import UUID

import pytest
from sqlmodel import select

from api.phrases import write
from consultation.box_keys import BoxKeyLost, BoxKeysMissing, FileBoxKeys, NoBoxKeys
from consultation.database import Database
from consultation.events.polls import PollBoxDestroyed, PollBoxOpened, PollOpenerCame
from consultation.jobs import Job, JobKind
from consultation.journal import JournalEntry
from consultation.permissions import Actor, Role
from consultation.polls import envelope_queries, envelopes, rules, terms
from consultation.polls.board_queries import leaf_hashes
from consultation.polls.board_tables import Tree
from consultation.polls.commands import casting, closing, drafting, unsealing
from consultation.polls.commands.express import Express
from consultation.polls.envelope_tables import BoxOpener, Envelope, OpenedBallot, Participation
from consultation.polls.express.judging import OwnCast
from consultation.polls.presets import BallotChannel, BallotMode, Revote
from consultation.polls.queries import turnout
from consultation.polls.reconciliation_queries import reconciliation_of
from consultation.polls.rules import PollState, Verdict
from consultation.polls.tables import Ballot, Poll
from consultation.refusals import AlreadyDone, Refusal
from consultation.topics.tables import InterestDeclaration
from tests.consultation.polls.stage import OPENERS, Stage


async def rows(db: Database, table: type, poll_id: UUID) -> list:  # type: ignore[type-arg]
    async with db.read() as tx:
        return list(await tx.session.exec(select(table).where(table.poll_id == poll_id)))  # type: ignore[attr-defined]


REVOTES = {"revote": Revote.LAST_VALID_BEFORE_CLOSE}


async def test_a_confidential_poll_from_announcement_to_published_list(
    stage: Stage, box_keys_dir
) -> None:
    poll, people = await stage.household_poll(5)
    assert len(poll.box_public_key or "") == 64
    key_file = box_keys_dir / f"{poll.id}.key"
    assert key_file.stat().st_mode & 0o777 == 0o600

    said = dict(zip(people, ["for", "against", "for", "abstain"], strict=False))
    receipts = {p: await stage.cast_sealed(poll.id, p, choice) for p, choice in said.items()}
    assert len({len(one.sealed) for one in await rows(stage.db, Envelope, poll.id)}) == 1
    assert await rows(stage.db, Ballot, poll.id) == []

    closed = await stage.closed(poll.id)
    assert (closed.state, closed.result) == (PollState.CLOSED, None)
    for name, role in OPENERS[:2]:
        confirmed = await stage.confirm_opening(poll.id, name, role)
        assert confirmed.result is None
    opened = await stage.confirm_opening(poll.id, *OPENERS[2])
    assert opened.result is not None
    assert opened.result.participating.heads == 4
    assert await rows(stage.db, Envelope, poll.id) == []
    assert key_file.exists()  # until the count is committed
    assert {one.roll_entry_id for one in await rows(stage.db, Participation, poll.id)} == {
        entry for entry, place in (await stage.roll(poll.id)).items() if place.person_id in said
    }

    with pytest.raises(rules.BoxNotDestroyed):
        await stage.sign(poll.id, "teller1", Role.TELLER)
    await stage.work()
    assert not key_file.exists()
    assert (await stage.load(poll.id)).box_destroyed_at == stage.clock.now

    for name, role in OPENERS:
        published = await stage.sign(poll.id, name, role)
    assert published.state is PollState.PUBLISHED
    listed = await rows(stage.db, OpenedBallot, poll.id)
    assert [one.number for one in listed] == [1, 2, 3, 4]
    assert [one.tracker for one in listed] == sorted(one.tracker for one in listed)
    assert {one.tracker: one.choices for one in listed} == {
        receipts[person].tracker: {"1": [choice]} for person, choice in said.items()
    }


async def test_each_step_of_the_box_is_on_record_without_any_choice(stage: Stage) -> None:
    poll, people = await stage.household_poll(3)
    await stage.cast_sealed(poll.id, people[0], "against")
    await stage.open_box(poll.id)
    await stage.work()
    async with stage.db.read() as tx:
        entries = list(
            await tx.session.exec(
                select(JournalEntry).where(JournalEntry.stream == f"poll:{poll.id}")
            )
        )
    types = [entry.type for entry in entries]
    assert types.count(PollOpenerCame.type) == 3
    assert types.count(PollBoxOpened.type) == types.count(PollBoxDestroyed.type) == 1
    assert not any("against" in str(entry.data) for entry in entries)


async def test_the_same_ballot_with_the_same_secret_keeps_its_receipt_until_the_box_is_opened(
    stage: Stage,
) -> None:
    poll, people = await stage.household_poll(3)
    once = token_urlsafe(24)
    first = await stage.cast_sealed(poll.id, people[0], "for", once=once)
    assert await stage.cast_sealed(poll.id, people[0], "for", once=once) == first
    with pytest.raises(rules.AlreadyVoted):
        await stage.cast_sealed(poll.id, people[0], "against", once=once)
    with pytest.raises(rules.AlreadyVoted):
        await stage.cast_sealed(poll.id, people[0], "for")

    await stage.closed(poll.id)
    assert await stage.cast_sealed(poll.id, people[0], "for", once=once) == first
    with pytest.raises(rules.PollClosed):
        await stage.cast_sealed(poll.id, people[0], "against", once=once)
    with pytest.raises(rules.PollClosed):
        await stage.cast_sealed(poll.id, people[1], "for")
    for name, role in OPENERS:
        await stage.confirm_opening(poll.id, name, role)
    with pytest.raises(rules.PollClosed):  # nothing is left to know it by
        await stage.cast_sealed(poll.id, people[0], "for", once=once)


async def test_every_receipt_is_on_the_board_also_of_a_ballot_that_was_replaced(
    stage: Stage,
) -> None:
    poll, people = await stage.household_poll(3, rule=REVOTES)
    receipts = [
        await stage.cast_sealed(poll.id, people[0], choice)
        for choice in ("for", "against", "abstain")
    ]
    receipts.append(await stage.cast_sealed(poll.id, people[1], "for"))
    await stage.open_box(poll.id)
    async with stage.db.read() as tx:
        recorded = await leaf_hashes(tx, poll.id, Tree.RECORDED)
    assert sorted(leaf.hex() for leaf in recorded) == sorted(one.receipt for one in receipts)


async def test_the_fast_lane_seals_many_in_one_transaction_and_answers_as_one_alone(
    stage: Stage,
) -> None:
    poll, people = await stage.household_poll(30, rule=REVOTES)
    express = Express(stage.db)
    once = [token_urlsafe(24) for _ in people]

    def own(index: int, choice: str, secret: str | None = None) -> OwnCast:
        given = ((1, (choice,)),)
        return OwnCast(poll.id, people[index], given, secret or once[index])

    casts = [own(index, "for") for index in range(30)]
    first = await asyncio.gather(*(express.cast(one) for one in casts))
    assert len({receipt.tracker for receipt in first}) == 30
    assert {receipt.cast_at for receipt in first} == {None}
    again = await asyncio.gather(*(express.cast(one) for one in casts))
    assert again == first
    alone = await express.cast_alone(casts[0], Actor(person_id=people[0]))
    assert alone == first[0]
    changed = await express.cast(own(1, "against", token_urlsafe(24)))
    with pytest.raises(rules.AlreadyVoted):
        await express.cast(casts[1])
    for bad in ("short", "x" * 40):
        with pytest.raises(envelopes.BallotSecretNeeded):
            await express.cast(own(2, "for", bad))

    await stage.closed(poll.id)
    assert await express.cast(casts[3]) == first[3]
    with pytest.raises(rules.PollClosed):
        await express.cast(own(4, "against"))
    for name, role in OPENERS:
        await stage.confirm_opening(poll.id, name, role)
    listed = {one.tracker: one.choices for one in await rows(stage.db, OpenedBallot, poll.id)}
    kept = {receipt.tracker for receipt in first if receipt != first[1]}
    assert listed.keys() == kept | {changed.tracker}
    assert listed[changed.tracker] == {"1": ["against"]}
    async with stage.db.read() as tx:
        assert (await turnout(tx, poll.id)).heads == 30


async def test_a_permitted_revote_replaces_the_envelope_and_a_late_retry_does_not_undo_it(
    stage: Stage,
) -> None:
    poll, people = await stage.household_poll(3, rule=REVOTES)
    one, two = token_urlsafe(24), token_urlsafe(24)
    first = await stage.cast_sealed(poll.id, people[0], "for", once=one)
    second = await stage.cast_sealed(poll.id, people[0], "against", once=two)
    assert second.receipt != first.receipt
    with pytest.raises(rules.AlreadyVoted):
        await stage.cast_sealed(poll.id, people[0], "for", once=one)
    assert await stage.cast_sealed(poll.id, people[0], "against", once=two) == second
    third = await stage.cast_sealed(poll.id, people[0], "abstain")

    opened = await stage.open_box(poll.id)
    assert opened.result is not None
    assert opened.result.participating.heads == 1
    listed = await rows(stage.db, OpenedBallot, poll.id)
    assert [(b.tracker, b.choices) for b in listed] == [(third.tracker, {"1": ["abstain"]})]


@pytest.mark.parametrize(
    "once", [None, "", "short", "x" * 40, "abcabcabcabcabcabcabcabcabc", "ü" * 30, "a b" * 10]
)
async def test_a_confidential_ballot_needs_a_secret_of_its_own(
    stage: Stage, once: str | None
) -> None:
    poll, people = await stage.household_poll(2)
    with pytest.raises(envelopes.BallotSecretNeeded):
        async with stage.db.begin(Actor(person_id=people[0])) as tx:
            await casting.cast_ballot(tx, poll.id, [(1, ["for"])], once=once)
    assert await rows(stage.db, Envelope, poll.id) == []


async def test_staff_enter_an_assisted_ballot_and_no_paper(stage: Stage) -> None:
    poll, _ = await stage.household_poll(3)
    once = token_urlsafe(24)

    async def enter(channel: BallotChannel) -> object:
        async with stage.db.begin(stage.clerk) as tx:
            return await casting.record_ballot(
                tx,
                poll.id,
                2,
                [(1, ["for"])],
                channel=channel,
                consent_note="电话委托",
                helper_id=stage.world.id("grid_worker"),
                once=once,
            )

    with pytest.raises(rules.WrongChannel):
        await enter(BallotChannel.PAPER)
    await enter(BallotChannel.ASSISTED)
    await stage.open_box(poll.id)
    (mark,) = await rows(stage.db, Participation, poll.id)
    assert mark.channel is BallotChannel.ASSISTED
    assert mark.entered_by_id == stage.world.id("clerk")
    assert mark.consent_note == "电话委托"


async def test_the_box_is_opened_by_three_different_impartial_people_after_the_close(
    stage: Stage,
) -> None:
    poll, people = await stage.household_poll(3)
    await stage.cast_sealed(poll.id, people[0], "for")
    with pytest.raises(rules.BoxNotClosed):
        await stage.confirm_opening(poll.id, "teller1", Role.TELLER)
    await stage.closed(poll.id)
    for name, role in (("clerk", Role.CLERK), ("secretary", Role.PARTY_SECRETARY)):
        with pytest.raises(Refusal, match="not-permitted"):
            await stage.confirm_opening(poll.id, name, role)
    with pytest.raises(Refusal, match="not-permitted"):
        async with stage.db.begin(Actor(person_id=people[0])) as tx:
            await unsealing.confirm_opening(tx, poll.id)

    async with stage.db.begin() as tx:
        tx.session.add(
            InterestDeclaration(
                topic_id=poll.topic_id,
                person_id=stage.world.id("teller1"),
                community_id=poll.community_id,
                has_interest=True,
                note="亲属",
                at=tx.now,
            )
        )
    with pytest.raises(rules.NotImpartial):
        await stage.confirm_opening(poll.id, "teller1", Role.TELLER)
    async with stage.db.begin() as tx:
        found = await tx.session.get(
            InterestDeclaration, (poll.topic_id, stage.world.id("teller1"))
        )
        assert found is not None
        found.has_interest = False

    for _ in range(3):  # one person, however often, is one
        again = await stage.confirm_opening(poll.id, "teller1", Role.TELLER)
        assert again.result is None
    await stage.confirm_opening(poll.id, "supervisor", Role.SUPERVISOR)
    assert (await stage.load(poll.id)).result is None
    assert (await stage.confirm_opening(poll.id, "teller2", Role.TELLER)).result is not None
    assert len(await rows(stage.db, BoxOpener, poll.id)) == 3
    digest = (await stage.load(poll.id)).result_digest
    assert (await stage.confirm_opening(poll.id, "teller2", Role.TELLER)).result_digest == digest


async def test_nothing_is_opened_with_a_missing_or_wrong_key(stage: Stage, box_keys_dir) -> None:
    poll, people = await stage.household_poll(3)
    receipt = await stage.cast_sealed(poll.id, people[0], "for")
    path = box_keys_dir / f"{poll.id}.key"
    right = path.read_bytes()
    await stage.closed(poll.id)
    for name, role in OPENERS[:2]:
        await stage.confirm_opening(poll.id, name, role)
    for content in (None, b"\1" * 32, b"short"):
        path.unlink(missing_ok=True)
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(rules.BoxKeyUnusable):
            await stage.confirm_opening(poll.id, *OPENERS[2])
        assert len(await rows(stage.db, Envelope, poll.id)) == 1
    path.write_bytes(right)
    await stage.confirm_opening(poll.id, *OPENERS[2])
    (ballot,) = await rows(stage.db, OpenedBallot, poll.id)
    assert ballot.tracker == receipt.tracker


async def test_envelopes_that_do_not_open_are_invalid_ballots(stage: Stage) -> None:
    poll, people = await stage.household_poll(6)
    other, strangers = await stage.household_poll(2, name="别苑")
    for person in people[:5]:
        await stage.cast_sealed(poll.id, person, "for")
    await stage.cast_sealed(other.id, strangers[0], "for")
    async with stage.db.begin() as tx:
        mine = list(await tx.session.exec(select(Envelope).where(Envelope.poll_id == poll.id)))
        theirs = (await tx.session.exec(select(Envelope).where(Envelope.poll_id == other.id))).one()
        mine[0].sealed = bytes([mine[0].sealed[0] ^ 1]) + mine[0].sealed[1:]  # damaged
        mine[1].sealed = theirs.sealed  # of another poll
        mine[2].sealed = mine[3].sealed  # one ballot twice: nobody can say whose it was
    opened = await stage.open_box(poll.id)
    listed = await rows(stage.db, OpenedBallot, poll.id)
    assert sorted(b.choices is None for b in listed) == [False, True, True, True, True]
    assert len({b.tracker for b in listed}) == 5
    assert opened.result is not None
    assert opened.result.participating.heads == 1  # the preset: invalid is not taking part


async def test_a_poll_without_ballots_is_opened_all_the_same(stage: Stage) -> None:
    poll, _ = await stage.household_poll(3)
    opened = await stage.open_box(poll.id)
    assert opened.result is not None
    assert opened.result.verdict is Verdict.NO_QUORUM
    await stage.work()
    assert (await stage.load(poll.id)).box_destroyed_at is not None


async def test_the_key_of_a_void_poll_is_destroyed_too(stage: Stage, box_keys_dir) -> None:
    estate, _ = await stage.households(3)
    topic = await stage.topic("household_poll", estate)
    poll = await stage.announced("household_poll", topic, estate, mode=BallotMode.CONFIDENTIAL)
    assert (box_keys_dir / f"{poll.id}.key").exists()
    stage.clock.now = poll.closes_at + timedelta(days=1)
    async with stage.db.begin() as tx:  # the opening was missed
        row = await tx.session.get(Poll, poll.id)
        assert row is not None
        for job in await tx.session.exec(select(Job).where(Job.kind == JobKind.POLL_OPEN)):
            job.done_at = tx.now
    await stage.work()
    assert (await stage.load(poll.id)).state is PollState.VOIDED
    assert not (box_keys_dir / f"{poll.id}.key").exists()


async def test_named_polls_have_no_box_and_secret_ones_are_not_built(stage: Stage) -> None:
    poll, _ = await stage.household_poll(2, mode=BallotMode.NAMED)
    assert poll.box_public_key is None
    await stage.closed(poll.id)
    with pytest.raises(rules.NoBox):
        await stage.confirm_opening(poll.id, "teller1", Role.TELLER)

    estate, _ = await stage.households(2, name="别苑")
    topic = await stage.topic("household_poll", estate)
    with pytest.raises(terms.BallotModeNotBuilt):
        await stage.drafted("household_poll", topic, estate, mode=BallotMode.SECRET)


async def test_polls_that_count_area_are_never_confidential(stage: Stage) -> None:
    entrance, _ = await stage.lift()
    topic = await stage.topic("lift_scope_owners", entrance)
    with pytest.raises(terms.PollModeInvalid):
        await stage.drafted("lift_scope_owners", topic, entrance, mode=BallotMode.CONFIDENTIAL)
    one = stage.draft("lift_scope_owners", entrance)
    preset = terms.find_preset(one.preset)
    with pytest.raises(ValueError, match="as good as a name"):
        type(preset).model_validate(preset.model_dump() | {"modes": ["confidential"]})
    with pytest.raises(ValueError, match="not built"):
        type(preset).model_validate(preset.model_dump() | {"modes": ["secret"]})


async def test_without_a_place_for_keys_a_confidential_poll_is_not_announced(stage: Stage) -> None:
    estate, _ = await stage.households(2)
    topic = await stage.topic("household_poll", estate)
    poll = await stage.drafted("household_poll", topic, estate, mode=BallotMode.CONFIDENTIAL)
    stage.db.box_keys = NoBoxKeys()
    with pytest.raises(BoxKeysMissing):
        async with stage.db.begin(stage.secretary) as tx:
            await drafting.announce_poll(tx, poll.id, write=write)
    assert (await stage.load(poll.id)).state is PollState.DRAFT


async def test_nobody_reads_ballots_of_a_confidential_poll_by_voter(stage: Stage) -> None:
    poll, people = await stage.household_poll(3)
    await stage.cast_sealed(poll.id, people[0], "for")
    await stage.open_box(poll.id)
    async with stage.db.begin(stage.world.as_("teller1", Role.TELLER)) as tx:
        with pytest.raises(rules.NotNamed):
            await closing.read_ballots(tx, poll.id, after=0, limit=10)


async def test_one_person_does_not_confirm_in_two_roles(stage: Stage) -> None:
    poll, _ = await stage.household_poll(2)
    await stage.closed(poll.id)
    await stage.confirm_opening(poll.id, "teller1", Role.TELLER)
    async with stage.db.begin() as tx:
        teller = stage.world.assignments["teller1", Role.TELLER]
        row = await tx.session.get(type(teller), teller.id)
        assert row is not None
        row.role = Role.SUPERVISOR
    with pytest.raises(AlreadyDone):
        await stage.confirm_opening(poll.id, "teller1", Role.TELLER)


async def test_keys_are_files_of_their_owner_and_gone_after_destruction(box_keys_dir) -> None:
    keys, poll_id = FileBoxKeys(box_keys_dir / "new"), UUID(int=7)
    public = await keys.create(poll_id)
    assert await keys.create(poll_id) == public
    assert (box_keys_dir / "new").stat().st_mode & 0o777 == 0o700
    private = await keys.open(poll_id)
    leftover = box_keys_dir / "new" / f".{poll_id}.0011"  # of a crash while it was made
    leftover.write_bytes(private)
    other = await keys.create(UUID(int=8))
    await keys.destroy(poll_id)
    await keys.destroy(poll_id)
    with pytest.raises(BoxKeyLost):
        await keys.open(poll_id)
    assert [path.name for path in (box_keys_dir / "new").iterdir()] == [f"{UUID(int=8)}.key"]
    assert await keys.create(UUID(int=8)) == other


def test_keys_do_not_lie_with_the_database(tmp_path) -> None:
    data = tmp_path / "data"
    for folder in (data, data / "keys", tmp_path):
        with pytest.raises(ValueError, match="folder of the database"):
            FileBoxKeys(folder, database_folder=data)
    FileBoxKeys(tmp_path / "keys", database_folder=data)


def test_the_order_of_the_board_is_that_of_the_trackers() -> None:
    def one(letter: str, choice: str) -> envelopes.Opened:
        return envelopes.Opened(tracker=letter * 26, choices={"1": [choice]})

    twice = one("B", "against")
    listed = envelopes.order_of_the_board([one("C", "for"), twice, None, one("A", "for"), twice])
    assert [b for b in listed if b[1] is not None] == [
        ("A" * 26, {"1": ["for"]}),
        ("C" * 26, {"1": ["for"]}),
    ]
    assert len(listed) == 5
    assert listed == sorted(listed, key=lambda ballot: ballot[0])
    assert "B" * 26 not in {tracker for tracker, _ in listed}


async def test_the_box_is_read_by_one_command_only() -> None:
    from pathlib import Path

    import consultation

    root = Path(consultation.__file__).parent
    found = {
        path.relative_to(root).as_posix()
        for folder in (root, root.parent / "api", root.parent / "notifications")
        for path in folder.rglob("*.py")
        if "box_keys.open(" in path.read_text("utf-8")
    }
    assert found == {"polls/commands/unsealing.py"}
    assert envelope_queries.take_contents.__doc__ is not None


async def test_help_whose_envelope_was_replaced_does_not_keep_the_poll_from_adding_up(
    stage: Stage,
) -> None:
    poll, people = await stage.household_poll(5)
    await stage.rewrite_rule(poll.id, **REVOTES)
    numbers = {place.person_id: place.number for place in (await stage.roll(poll.id)).values()}
    for person in people[:2]:
        async with stage.db.begin(stage.clerk) as tx:
            await casting.record_ballot(
                tx,
                poll.id,
                numbers[person],
                [(1, ["for"])],
                channel=BallotChannel.ASSISTED,
                consent_note="本人口述",
                helper_id=stage.world.id("grid_worker"),
                once=token_urlsafe(24),
            )
    await stage.cast_sealed(poll.id, people[0], "against")

    for _ in ("while it runs", "after the opening"):
        now = await stage.load(poll.id)
        async with stage.db.read() as tx:
            report = await reconciliation_of(tx, now)
        assert report.differences == []
        assert {line.channel: line.cast for line in report.channels} == {
            BallotChannel.ELECTRONIC: 1,
            BallotChannel.ASSISTED: 1,
        }
        if now.state is PollState.OPEN:
            await stage.open_box(poll.id)
