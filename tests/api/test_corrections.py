"""Ways out of a count that is wrong, over HTTP: corrected by other people, or annulled by two."""

from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlmodel import col, select

from consultation.database import Database
from consultation.permissions import SYSTEM, Role
from consultation.polls import rules
from consultation.polls.board_queries import certificates
from consultation.polls.commands import closing
from consultation.polls.counting import result_digest
from consultation.polls.rules import PollState, Verdict
from consultation.polls.tables import Poll
from consultation.topics.states import State
from consultation.topics.subjects import FORBIDDEN_WORDS
from consultation.topics.tables import Document
from tests.conftest import ManualClock
from tests.consultation.polls.stage import Stage
from tests.consultation.polls.test_packs import failing, notice, pack
from tests.world import World

WHY = "复核发现已存结果与票箱不符,按票重新计算。"


@pytest.fixture
async def stage(db: Database, world: World, clock: ManualClock, client: httpx.AsyncClient) -> Stage:
    return Stage(db=db, world=world, clock=clock)


async def put(
    client: httpx.AsyncClient, path: str, headers: Any, body: Any = None, expect: int = 200
) -> Any:
    answer = await client.put(path, json=body, headers=headers)
    assert answer.status_code == expect, answer.text
    return answer.json()


async def spoil(stage: Stage, poll_id: UUID) -> None:
    """Somebody reaches into the database: the stored count says that nobody was against."""
    async with stage.db.begin(SYSTEM) as tx:
        poll = await tx.session.get_one(Poll, poll_id)
        assert poll.result is not None
        item = poll.result.items[0].model_copy(update={"verdict": Verdict.PASSED})
        poll.result = poll.result.model_copy(update={"items": [item], "verdict": Verdict.PASSED})
        poll.result_digest = result_digest(
            poll.result,
            poll_id=poll.id,
            text_hash=poll.text_hash or "",
            roll_digest=poll.roll_digest or "",
            salt=poll.result_salt,
        )


async def spoilt(stage: Stage) -> Poll:
    """A closed poll on the lift that did not pass, whose stored count says that it did."""
    poll, owners = await stage.lift_poll()
    await stage.vote(poll.id, owners, "f" * 5 + "a" * 7)
    await stage.closed(poll.id)
    await spoil(stage, poll.id)
    return await stage.load(poll.id)


async def test_a_count_that_differs_is_counted_anew_by_other_tellers(
    client: httpx.AsyncClient, stage: Stage, world: World, tmp_path: Path
) -> None:
    poll = await spoilt(stage)
    await stage.other_tellers()
    supervisor = world.headers("supervisor", Role.SUPERVISOR)
    for name, role in (("teller1", Role.TELLER), ("supervisor", Role.SUPERVISOR)):
        await stage.sign(poll.id, name, role)
    async with stage.db.begin(world.as_("supervisor", Role.SUPERVISOR)) as tx:
        await closing.order_recount(tx, poll.id)
    await stage.sign(poll.id, "teller2", Role.TELLER)
    with pytest.raises(rules.RecountDiffers):
        await stage.sign(poll.id, "resident5", Role.TELLER)

    home = f"/v1/polls/{poll.id}/count-correction"
    short = await put(client, home, supervisor, {"reason": "不对"}, expect=422)
    assert short["code"] == "correction-reason-missing"
    private = {"reason": f"{WHY},此户有{FORBIDDEN_WORDS[0]}"}
    refused = await put(client, home, supervisor, private, expect=422)
    assert refused["code"] == "forbidden-subject"
    teller = world.headers("teller1", Role.TELLER)
    await put(client, home, teller, {"reason": WHY}, expect=403)
    ordered = await put(client, home, supervisor, {"reason": WHY})
    assert (ordered["number"], ordered["stands"]) == (1, False)
    assert ordered["result"]["verdict"] == "not_passed"
    assert await put(client, home, supervisor, {"reason": WHY}) == ordered

    digest = {"digest": ordered["result_digest"]}
    other = {name: world.headers(name, Role.TELLER) for name in ("resident5", "resident6")}
    assert (await client.get(home, headers=other["resident5"])).json() == ordered
    assert (await client.get(home, headers=world.headers("resident1"))).status_code == 403
    for headers, body, code in (
        (teller, digest, "recount-by-others"),
        (other["resident5"], {"digest": "0" * 64}, "signed-digest-differs"),
    ):
        refused = await client.put(f"{home}/signature", json=body, headers=headers)
        assert refused.json()["code"] == code
    for _ in range(2):
        first = await put(client, f"{home}/signature", other["resident5"], digest)
        assert first["stands"] is False
    assert (await stage.load(poll.id)).state is PollState.CLOSED
    second = await put(client, f"{home}/signature", other["resident6"], digest)
    assert second["stands"] is True

    shown = (await client.get(f"/v1/polls/{poll.id}")).json()
    assert (shown["state"], shown["result"]["verdict"]) == ("published", "not_passed")
    assert any(WHY in line for line in (await bodies(stage, poll.topic_id)))
    assert await stage.topic_state(poll.topic_id) is State.OUTCOME_PUBLIC
    files = await pack(stage, poll.id)
    assert failing(tmp_path / "corrected", files, notice=await notice(stage, poll.id)) == {}


async def bodies(stage: Stage, topic_id: UUID) -> list[str]:
    async with stage.db.read() as tx:
        found = await tx.session.exec(
            select(Document.body)
            .where(Document.topic_id == topic_id)
            .order_by(col(Document.created_at), col(Document.version))
        )
        return list(found)


async def test_a_published_count_is_corrected_by_a_second_certificate(
    client: httpx.AsyncClient, stage: Stage, world: World, tmp_path: Path
) -> None:
    poll = await spoilt(stage)
    await stage.published(poll.id)
    assert "recount" in failing(tmp_path / "wrong", await pack(stage, poll.id))
    names = await stage.other_tellers()
    home = f"/v1/polls/{poll.id}/count-correction"
    supervisor = world.headers("supervisor", Role.SUPERVISOR)
    ordered = await put(client, home, supervisor, {"reason": WHY})
    before = (await client.get(f"/v1/polls/{poll.id}")).json()
    assert before["result"]["verdict"] == "passed"  # until two others have signed
    stands = []
    for name in names:
        signed = await put(
            client,
            f"{home}/signature",
            world.headers(name, Role.TELLER),
            {"digest": ordered["result_digest"]},
        )
        stands.append(signed["stands"])
    assert stands == [False, True]

    shown = (await client.get(f"/v1/polls/{poll.id}")).json()
    assert shown["result"]["verdict"] == "not_passed"
    async with stage.db.read() as tx:
        first, second = await certificates(tx, poll.id)
        sheet = await tx.session.get(Document, UUID(shown["tally_sheet_id"]))
    assert (first.version, second.version) == (1, 2)
    assert WHY in second.content
    assert WHY not in first.content
    assert sheet is not None
    assert (sheet.version, sheet.correction_reason) == (2, WHY)
    files = await pack(stage, poll.id)
    assert failing(tmp_path / "right", files, notice=await notice(stage, poll.id)) == {}
    again = await put(client, home, supervisor, {"reason": WHY}, expect=409)
    assert again["code"] == "count-stands"


async def test_a_count_that_the_topic_went_on_under_is_not_corrected_here(
    client: httpx.AsyncClient, stage: Stage, world: World
) -> None:
    poll = await spoilt(stage)
    await stage.published(poll.id)
    await stage.to_state(poll.topic_id, State.IMPLEMENTING)
    late = await put(
        client,
        f"/v1/polls/{poll.id}/count-correction",
        world.headers("supervisor", Role.SUPERVISOR),
        {"reason": WHY},
        expect=409,
    )
    assert late["code"] == "correction-too-late"


async def test_a_correction_that_waits_is_not_signed_once_the_topic_went_on(
    client: httpx.AsyncClient, stage: Stage, world: World
) -> None:
    """Ordered in time, and left lying until the result was adopted and is being carried out."""
    poll = await spoilt(stage)
    await stage.published(poll.id)
    names = await stage.other_tellers()
    home = f"/v1/polls/{poll.id}/count-correction"
    supervisor = world.headers("supervisor", Role.SUPERVISOR)
    ordered = await put(client, home, supervisor, {"reason": WHY})
    first, second = (world.headers(name, Role.TELLER) for name in names)
    digest = {"digest": ordered["result_digest"]}
    await put(client, f"{home}/signature", first, digest)

    await stage.to_state(poll.topic_id, State.IMPLEMENTING)
    late = await put(client, f"{home}/signature", second, digest, expect=409)
    assert late["code"] == "correction-too-late"
    shown = (await client.get(f"/v1/polls/{poll.id}")).json()
    assert shown["result"]["verdict"] == "passed"


async def test_a_closed_poll_is_annulled_by_two_and_voted_on_once_more(
    client: httpx.AsyncClient, stage: Stage, world: World
) -> None:
    poll, owners = await stage.lift_poll()
    await stage.vote(poll.id, owners, "f" * 12)
    home = f"/v1/polls/{poll.id}/annulment"
    supervisor = world.headers("supervisor", Role.SUPERVISOR)
    runs = await put(client, home, supervisor, {"reason": WHY}, expect=409)
    assert runs["code"] == "poll-not-counted"  # nobody annuls a vote that runs
    await stage.closed(poll.id)
    supervisor = world.headers("supervisor", Role.SUPERVISOR)
    secretary = world.headers("secretary", Role.PARTY_SECRETARY)
    await put(client, home, secretary, {"reason": WHY}, expect=403)
    await put(client, f"{home}/confirmation", secretary, {"version": 1}, expect=404)
    await put(client, home, supervisor, {"reason": "票箱封条破损,无法认定。"})
    asked = await put(client, home, supervisor, {"reason": WHY})
    assert (asked["version"], asked["confirmed_at"]) == (2, None)
    stale = await put(client, f"{home}/confirmation", secretary, {"version": 1}, expect=409)
    assert stale["code"] == "annulment-superseded"
    await put(client, f"{home}/confirmation", supervisor, {"version": 2}, expect=403)
    for _ in range(2):
        void = await put(client, f"{home}/confirmation", secretary, {"version": 2})
        assert void["state"] == "voided"

    assert (await client.get(home)).json()["confirmed_at"] is not None
    assert any(WHY in body for body in await bodies(stage, poll.topic_id))
    assert await stage.topic_state(poll.topic_id) is State.OUTCOME_DRAFTING
    with pytest.raises(rules.NotCounted):
        await stage.sign(poll.id, "teller1", Role.TELLER)
    scope = await stage.node(poll.scope_node_id)
    second = await stage.opened("lift_scope_owners", await stage.topic_of(poll), scope)
    assert (second.state, second.round) == (PollState.OPEN, poll.round)
    assert await stage.topic_state(poll.topic_id) is State.VOTING


async def test_a_published_result_is_not_annulled(
    client: httpx.AsyncClient, stage: Stage, world: World
) -> None:
    poll, owners = await stage.lift_poll()
    await stage.vote(poll.id, owners, "f" * 12)
    await stage.published(poll.id)
    refused = await put(
        client,
        f"/v1/polls/{poll.id}/annulment",
        world.headers("supervisor", Role.SUPERVISOR),
        {"reason": WHY},
        expect=409,
    )
    assert refused["code"] == "poll-not-counted"
