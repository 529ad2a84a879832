"""Silence that counts with the majority: only with an adopted clause on file, only for those who
opened the notice or signed for it, and always published apart."""

import json
from collections.abc import Mapping
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from sqlmodel import select

from consultation.community.tables import Node, NodeKind, Ownership
from consultation.polls.commands import drafting, serving
from consultation.polls.deeming import DeemingNotAllowed
from consultation.polls.deeming_queries import deemed_places
from consultation.polls.notice_queries import served_count, unserved
from consultation.polls.presets import Silent
from consultation.polls.rules import Verdict
from consultation.polls.serving import NoticeChannel, NoticeEvidence, Proof
from consultation.polls.tables import Poll
from consultation.topics.documents import publish_document
from consultation.topics.states import DocumentKind
from consultation.topics.tables import Document, Topic
from tests.consultation.polls.stage import Stage
from tests.consultation.polls.test_objections import goes_to
from tests.consultation.polls.test_packs import pack
from tests.verifier import failing


async def estate_of(stage: Stage, heads: int, name: str = "新苑") -> tuple[Node, list[UUID], Topic]:
    estate = await stage.place(NodeKind.ESTATE, name, stage.world.community)
    building = await stage.place(NodeKind.BUILDING, "1幢", estate)
    owners = await stage.people(heads, stage.world.community.id)
    await stage.homes(estate, building, [9000] * heads, owners)
    return estate, owners, await stage.topic("civil278_general", estate)


async def file(
    stage: Stage, topic: Topic, kind: DocumentKind = DocumentKind.MATERIAL, *, public: bool = True
) -> UUID:
    async with stage.db.begin(stage.clerk) as tx:
        document = await publish_document(
            tx,
            topic,
            kind,
            title="业主大会议事规则(节选)",
            body="已送达未投票的,计入多数意见。",
            public=public,
        )
        return document.id


async def served(stage: Stage, poll: Poll, owner: UUID, evidence: NoticeEvidence) -> None:
    channel = {
        NoticeEvidence.READ: NoticeChannel.IN_APP,
        NoticeEvidence.FETCHED: NoticeChannel.LIVE,
        NoticeEvidence.ACCEPTED: NoticeChannel.SMS,
        NoticeEvidence.TOLD: NoticeChannel.TELEPHONE,
    }.get(evidence, NoticeChannel.PRINTED)
    by = (
        {NoticeChannel.PRINTED: "grid_worker"}
        if channel is NoticeChannel.PRINTED
        else {channel: ""}
    )
    if evidence is NoticeEvidence.SIGNED_FOR:
        by[NoticeChannel.DOORSTEP] = "clerk"
    await prove(stage, poll, owner, evidence, by)


async def prove(
    stage: Stage, poll: Poll, owner: UUID, evidence: NoticeEvidence, by: Mapping[NoticeChannel, str]
) -> None:
    """By each channel, and whoever of the staff was there."""
    proofs = [
        Proof(
            poll_id=poll.id,
            person_id=owner,
            channel=channel,
            at=stage.clock.now,
            evidence=evidence,
            reference="公告",
            recorded_by_id=stage.world.id(name) if name else None,
        )
        for channel, name in by.items()
    ]
    async with stage.db.begin() as tx:
        assert await serving.record_proofs(tx, proofs) == len(proofs)


async def test_the_served_silent_count_with_the_majority_and_are_published_apart(
    stage: Stage, tmp_path: Path
) -> None:
    estate, owners, topic = await estate_of(stage, 12)
    clause = await file(stage, topic)
    poll = await stage.opened("civil278_general", topic, estate, silence_clause_id=clause)
    assert poll.preset.silent is Silent.DEEMED_MAJORITY
    async with stage.db.read() as tx:
        notice = await tx.session.get(Document, poll.notice_id)
        assert notice is not None
        assert "已经有效送达而未投票的,计为参与表决,并计入多数意见" in notice.body

    proofs = [
        NoticeEvidence.READ,  # votes all the same
        NoticeEvidence.READ,
        NoticeEvidence.SIGNED_FOR,
        NoticeEvidence.READ,
        NoticeEvidence.LEFT,
        NoticeEvidence.ACCEPTED,
        NoticeEvidence.FETCHED,
        NoticeEvidence.TOLD,
    ]
    for owner, evidence in zip(owners[4:], proofs, strict=True):
        await served(stage, poll, owner, evidence)
    await stage.vote(poll.id, owners[:5], "fffaf")
    published = await stage.published(poll.id)

    result = published.result
    assert result is not None
    assert (result.valid.heads, result.deemed.heads, result.participating.heads) == (5, 3, 8)
    assert result.deemed.area_dm2 == 27000
    (item,) = result.items
    assert (item.votes_for.heads, item.tally("for").deemed.heads) == (4, 3)
    assert result.verdict is Verdict.PASSED
    async with stage.db.read() as tx:
        sheet = await tx.session.get(Document, published.tally_sheet_id)
        assert sheet is not None
        assert "实际投票5人" in sheet.body
        assert "计入多数意见的未投票业主3人" in sheet.body

    files = await pack(stage, poll.id)
    assert len(json.loads(files["tally.json"])["deemed"]) == 3
    assert failing(tmp_path, files) == {}


@pytest.mark.parametrize(
    ("by", "deemed"),
    [
        ({NoticeChannel.PRINTED: "grid_worker"}, 0),
        ({NoticeChannel.PRINTED: "grid_worker", NoticeChannel.DOORSTEP: "grid_worker"}, 0),
        ({NoticeChannel.PRINTED: "grid_worker", NoticeChannel.DOORSTEP: "clerk"}, 1),
    ],
)
async def test_nobody_alone_makes_a_vote_of_somebodys_silence(
    stage: Stage, by: Mapping[NoticeChannel, str], deemed: int
) -> None:
    estate, owners, topic = await estate_of(stage, 4)
    clause = await file(stage, topic)
    poll = await stage.opened("civil278_general", topic, estate, silence_clause_id=clause)
    await prove(stage, poll, owners[0], NoticeEvidence.SIGNED_FOR, by)
    await stage.vote(poll.id, owners[1:], "fff")
    closed = await stage.closed(poll.id)
    assert closed.result is not None
    assert closed.result.deemed.heads == deemed


async def test_without_a_clause_silence_is_not_taking_part(stage: Stage) -> None:
    estate, owners, topic = await estate_of(stage, 12)
    poll = await stage.opened("civil278_general", topic, estate)
    for owner in owners[5:]:
        await served(stage, poll, owner, NoticeEvidence.SIGNED_FOR)
    await stage.vote(poll.id, owners[:5], "fffff")

    published = await stage.published(poll.id)
    assert published.result is not None
    assert published.result.deemed.heads == 0
    assert published.result.verdict is Verdict.NO_QUORUM


async def test_the_clause_must_be_a_public_material_of_the_topic(stage: Stage) -> None:
    estate, _, topic = await estate_of(stage, 3)
    _, _, other = await estate_of(stage, 3, "旧苑")
    unfit = [
        uuid4(),
        await file(stage, other),
        await file(stage, topic, DocumentKind.MINUTES),
        await file(stage, topic, public=False),
    ]

    for clause in unfit:
        with pytest.raises(DeemingNotAllowed) as refused:
            await stage.drafted("civil278_general", topic, estate, silence_clause_id=clause)
        assert refused.value.facts == {"problem": "clause"}


async def test_no_other_rule_takes_a_clause(stage: Stage) -> None:
    entrance, _ = await stage.lift()
    topic = await stage.topic("lift_scope_owners", entrance)
    draft = stage.draft("lift_scope_owners", entrance, silence_clause_id=await file(stage, topic))

    with pytest.raises(DeemingNotAllowed):
        async with stage.db.begin(stage.clerk) as tx:
            await drafting.draft_poll(tx, topic.id, draft)


async def test_a_proof_is_of_whom_it_was_given_to_and_of_nobody_who_follows(stage: Stage) -> None:
    """The seller read the notice; the buyer, who has the place by an objection, did not, and is not
    taken to agree by silence."""
    estate, owners, topic = await estate_of(stage, 4)
    clause = await file(stage, topic)
    poll = await stage.announced("civil278_general", topic, estate, silence_clause_id=clause)
    (buyer,) = await stage.people(1, poll.community_id)
    for owner in owners[:2]:
        await served(stage, poll, owner, NoticeEvidence.READ)
    await goes_to(stage, poll, owners[0], 1, buyer)
    async with stage.db.read() as tx:
        poll = await tx.session.get_one(Poll, poll.id)
        assert await served_count(tx, poll.id) == 1
        waiting = await unserved(tx, poll, grid_id=None, after=0, limit=9)
    assert [one.number for one in waiting] == [1, 3, 4]

    stage.clock.now = poll.opens_at
    await stage.work()
    await stage.vote(poll.id, owners[2:], "ff")
    closed = await stage.closed(poll.id)
    assert closed.result is not None
    assert (closed.result.valid.heads, closed.result.deemed.heads) == (2, 1)
    async with stage.db.read() as tx:
        assert await deemed_places(tx, closed) == [2]


async def test_a_place_without_a_voter_is_never_taken_to_agree(stage: Stage) -> None:
    """A notice signed for at the door of a home of which nobody knows the owner proves that the
    door was found, and nobody was silent."""
    estate, owners, topic = await estate_of(stage, 4)
    async with stage.db.begin() as tx:
        owned = (
            await tx.session.exec(select(Ownership).where(Ownership.person_id == owners[0]))
        ).one()
        await tx.session.delete(owned)
    clause = await file(stage, topic)
    poll = await stage.opened("civil278_general", topic, estate, silence_clause_id=clause)
    for number in (1, 2):
        async with stage.db.begin(stage.clerk) as tx:
            await serving.record_voter_notice(
                tx,
                poll.id,
                number,
                channel=NoticeChannel.PRINTED,
                evidence=NoticeEvidence.SIGNED_FOR,
                reference=f"签收单 {number} 号",
            )
    signed = NoticeEvidence.SIGNED_FOR
    await prove(stage, poll, owners[1], signed, {NoticeChannel.DOORSTEP: "grid_worker"})
    await stage.vote(poll.id, owners[2:], "ff")
    closed = await stage.closed(poll.id)
    assert closed.result is not None
    assert closed.result.deemed.heads == 1
    async with stage.db.read() as tx:
        assert await served_count(tx, poll.id) == 2
        assert await deemed_places(tx, closed) == [2]
