"""The manifest before the vote, the board while it runs, the certificate after it."""

import json
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from consultation.calendar import SHANGHAI
from consultation.permissions import SYSTEM
from consultation.polls import board, board_queries, manifest, merkle
from consultation.polls.board_tables import BoardLeaf, PollManifest, Tree, TreeHead
from consultation.polls.commands import recording
from consultation.polls.leaves import canonical
from consultation.polls.rules import preset_text
from consultation.polls.tables import Ballot, Poll
from consultation.topics.tables import Document
from tests.conftest import BOARD_KEY
from tests.consultation.polls.stage import Stage


async def manifest_of(stage: Stage, poll: Poll) -> PollManifest:
    async with stage.db.read() as tx:
        found = await board_queries.manifest_of(tx, poll)
        assert found is not None
        return found


async def board_of(stage: Stage, poll_id: UUID, tree: Tree = Tree.RECORDED) -> list[bytes]:
    async with stage.db.read() as tx:
        return await board_queries.leaf_hashes(tx, poll_id, tree)


async def heads_of(stage: Stage, poll_id: UUID) -> list[TreeHead]:
    async with stage.db.read() as tx:
        return await board_queries.all_heads(tx, poll_id)


async def recorded(stage: Stage, poll_id: UUID) -> set[bytes]:
    async with stage.db.read() as tx:
        rows = await tx.session.exec(select(Ballot.leaf_hash).where(Ballot.poll_id == poll_id))
        return set(rows)


# ---- manifest -----------------------------------------------------------------------------------


async def test_the_manifest_is_fixed_with_the_announcement_and_stands_in_the_notice(
    stage: Stage,
) -> None:
    entrance, _ = await stage.lift()
    topic = await stage.topic("lift_scope_owners", entrance)
    poll = await stage.announced("lift_scope_owners", topic, entrance)

    fixed = await manifest_of(stage, poll)
    content = json.loads(fixed.content)
    assert canonical(content).decode() == fixed.content
    assert manifest.digest(content) == fixed.digest == poll.manifest_hash
    assert content["text_hash"] == poll.text_hash
    assert content["preset"]["content"] == preset_text(poll.preset)
    assert content["roll"]["area_dm2"] == poll.eligible_area_dm2
    assert content["mode_label"]["zh-CN"].startswith("记名表决")
    assert content["board_key"] == BOARD_KEY.public
    async with stage.db.read() as tx:
        notice = await tx.session.get(Document, poll.notice_id)
        assert notice is not None
        assert fixed.digest[:16] in notice.body


async def test_the_manifest_holds_no_personal_data(stage: Stage) -> None:
    poll, owners = await stage.lift_poll()

    content = (await manifest_of(stage, poll)).content
    for place in (await stage.roll(poll.id)).values():
        assert place.label not in content
        assert str(place.person_id) not in content
    async with stage.db.read() as tx:
        lines = await board_queries.roll_lines(tx, poll)
    assert len({line.voter for line in lines}) == len(owners)
    assert not any(str(owner) in str(lines) for owner in owners)


async def test_every_place_of_the_roll_is_hidden_by_a_salt_of_its_own(stage: Stage) -> None:
    poll, _ = await stage.lift_poll()

    async with stage.db.read() as tx:
        lines = await board_queries.roll_lines(tx, poll)
    assert len({line.salt for line in lines}) == len(lines)
    root = json.loads((await manifest_of(stage, poll)).content)["roll"]["root"]
    assert manifest.roll_root(poll.id, reversed(lines)) == root


async def test_from_the_opening_on_nobody_makes_another_manifest(stage: Stage) -> None:
    poll, _ = await stage.lift_poll()

    async with stage.db.begin(SYSTEM) as tx:
        row = await tx.session.get_one(Poll, poll.id)
        with pytest.raises(manifest.ManifestFixed):
            await recording.fix_manifest(tx, row)
    for deed in (
        "UPDATE poll SET question = '别的问题'",
        "UPDATE poll SET manifest_hash = ''",
        "UPDATE poll SET roll_version = 2",
        "UPDATE poll_manifest SET content = '{}'",
        "DELETE FROM poll_manifest",
        "DELETE FROM poll",
    ):
        with pytest.raises(IntegrityError, match="append-only"):
            async with stage.db.begin() as tx:
                await (await tx.session.connection()).exec_driver_sql(deed)


# ---- batches ------------------------------------------------------------------------------------


def test_rounds_are_at_fixed_hours_and_a_promise_is_the_first_day_an_hour_away() -> None:
    at = datetime(2026, 6, 10, 9, 30, tzinfo=SHANGHAI)
    assert board.next_round(at) == at.replace(hour=12, minute=0)
    assert board.next_round(at.replace(hour=12, minute=0)) == at.replace(hour=16, minute=0)
    midnight = at.replace(day=11, hour=0, minute=0)
    assert board.include_by(at) == midnight
    assert board.include_by(midnight - timedelta(hours=1, seconds=1)) == midnight
    assert board.include_by(midnight - timedelta(hours=1)) == midnight + timedelta(days=1)


def test_a_batch_needs_twenty_leaves_or_the_first_round_of_a_day() -> None:
    now = datetime(2026, 6, 10, 12, tzinfo=SHANGHAI)
    this_morning = now.replace(hour=0)
    assert board.batch_is_due(0, None, now)
    assert board.batch_is_due(1, this_morning - timedelta(hours=1), now)
    assert not board.batch_is_due(board.BATCH_LEAST - 1, this_morning, now)
    assert board.batch_is_due(board.BATCH_LEAST, this_morning, now)


async def test_ballots_go_on_the_board_in_sorted_batches_and_the_rest_after_the_close(
    stage: Stage,
) -> None:
    estate, people = await stage.households(45)
    topic = await stage.topic("household_poll", estate)
    poll = await stage.opened("household_poll", topic, estate)
    await stage.vote(poll.id, people[:3], "fff")
    assert await board_of(stage, poll.id) == []  # no cast writes the board

    stage.clock.now = board.next_round(stage.clock.now)
    await stage.work()  # the first round of the day takes however few there are
    first = await board_of(stage, poll.id)
    assert first == sorted(await recorded(stage, poll.id))

    await stage.vote(poll.id, people[3:22], "f" * 19)
    stage.clock.now = board.next_round(stage.clock.now)
    await stage.work()
    assert await board_of(stage, poll.id) == first  # nineteen wait

    await stage.vote(poll.id, people[22:23], "a")
    stage.clock.now = board.next_round(stage.clock.now)
    await stage.work()
    second = await board_of(stage, poll.id)
    assert len(second) == 23
    assert second[:3] == first
    assert second[3:] == sorted(second[3:])

    await stage.vote(poll.id, people[23:25], "oo")
    await stage.closed(poll.id)
    await stage.work()
    third = await board_of(stage, poll.id)
    assert third[:23] == second
    assert set(third) == await recorded(stage, poll.id)

    heads = await heads_of(stage, poll.id)
    assert [head.number for head in heads] == [*range(1, len(heads) + 1)]
    assert (heads[0].size, heads[-1].size) == (3, 25)
    for before, head in zip([None, *heads], heads, strict=False):
        text = recording.signed_text(poll, head)
        assert head.signature == BOARD_KEY.sign(text)
        assert (head.at.minute, head.at.second) == (0, 0)
        assert head.root == merkle.root(third[: head.size]).hex()
        if before is not None:
            assert head.prev == board.text_digest(recording.signed_text(poll, before))
    await stage.work()
    assert len(await heads_of(stage, poll.id)) == len(heads)  # nothing comes after the last


async def test_doing_a_round_twice_adds_nothing(stage: Stage) -> None:
    poll, owners = await stage.lift_poll()
    await stage.vote(poll.id, owners, "f" * 12)
    await stage.closed(poll.id)
    before = await heads_of(stage, poll.id)

    async with stage.db.begin(SYSTEM) as tx:
        await recording.put_on_board(tx, poll.id)
    assert await heads_of(stage, poll.id) == before
    assert len(await board_of(stage, poll.id)) == 12


async def test_the_board_is_append_only(stage: Stage) -> None:
    poll, owners = await stage.lift_poll()
    await stage.vote(poll.id, owners, "f" * 12)
    await stage.published(poll.id)

    for table in ("board_leaf", "tree_head", "poll_certificate"):
        for deed in (f"UPDATE {table} SET community_id = community_id", f"DELETE FROM {table}"):
            with pytest.raises(IntegrityError, match=f"{table} is append-only"):
                async with stage.db.begin() as tx:
                    await (await tx.session.connection()).exec_driver_sql(deed)


async def test_a_poll_without_ballots_has_a_board_too(stage: Stage) -> None:
    poll, _ = await stage.lift_poll()
    await stage.published(poll.id)

    heads = await heads_of(stage, poll.id)
    assert {head.size for head in heads} == {0}
    assert heads[-1].root == merkle.EMPTY.hex()


# ---- certificates -------------------------------------------------------------------------------


async def test_the_certificate_names_signers_board_and_report_under_the_board_key(
    stage: Stage,
) -> None:
    poll, owners = await stage.lift_poll()
    await stage.vote(poll.id, owners, "f" * 4 + "a" * 6 + "..")
    poll = await stage.published(poll.id)

    async with stage.db.read() as tx:
        (certificate,) = await board_queries.certificates(tx, poll.id)
    content = json.loads(certificate.content)
    assert certificate.signature == BOARD_KEY.sign(certificate.content.encode())
    assert content["manifest"] == poll.manifest_hash
    assert content["result_digest"] == poll.result_digest
    assert content["heads"]["recorded"]["size"] == 10
    assert sorted(one["role"] for one in content["signatures"]) == [
        "supervisor",
        "teller",
        "teller",
    ]
    assert len({one["signer"] for one in content["signatures"]}) == 3
    for name in ("teller1", "teller2", "supervisor"):
        assert str(stage.world.id(name)) not in certificate.content
    assert certificate.reconciliation["voters"] == 10


async def test_opened_ballots_are_a_tree_of_their_own_and_envelopes_are_on_the_board_before(
    stage: Stage,
) -> None:
    poll, people = await stage.household_poll(6)
    for index, person in enumerate(people[:4]):
        await stage.cast_sealed(poll.id, person, "for" if index else "against")
    await stage.open_box(poll.id)
    await stage.work()  # key and envelopes are destroyed
    await stage.published(poll.id)

    assert len(await board_of(stage, poll.id)) == 4
    async with stage.db.read() as tx:
        opened = await board_queries.opened_leaves(tx, poll)
        rows = await tx.session.exec(select(BoardLeaf).where(BoardLeaf.tree == Tree.OPENED))
        assert len(rows.all()) == 4
    assert await board_of(stage, poll.id, Tree.OPENED) == opened
