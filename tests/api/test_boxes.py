"""Confidential polls over HTTP: what the voter gets, what nobody gets, and what is not logged."""

import io
import json
from collections.abc import Iterator
from secrets import token_urlsafe
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import structlog
from sqlmodel import select

from api import logs
from api.tables import IdempotencyRecord
from consultation.database import Database
from consultation.permissions import Role
from consultation.polls.envelopes import tracker
from tests.conftest import ManualClock
from tests.consultation.polls.stage import OPENERS, Stage
from tests.world import World

CHOICES = ["for", "against", "abstain", "for", "for", "against"]


@pytest.fixture
async def stage(db: Database, world: World, clock: ManualClock, client: httpx.AsyncClient) -> Stage:
    return Stage(db=db, world=world, clock=clock)


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    before = structlog.get_config()
    stream = io.StringIO()
    logs.configure(stream)
    yield stream
    structlog.configure(**before)


def voter(world: World, person_id: UUID, once: str | None = None) -> dict[str, str]:
    token = world.tokens.issue(person_id, uuid4(), uuid4())
    return {"authorization": f"Bearer {token}"} | ({"idempotency-key": once} if once else {})


def answers(choice: str) -> dict[str, Any]:
    return {"answers": [{"item": 1, "choices": [choice]}]}


async def cast_all(
    client: httpx.AsyncClient, stage: Stage, poll_id: UUID, people: list[UUID]
) -> dict[str, str]:
    """The choice under each tracker."""
    said = {}
    for person, choice in zip(people, CHOICES, strict=True):
        answer = await client.put(
            f"/v1/polls/{poll_id}/ballot",
            json=answers(choice),
            headers=voter(stage.world, person, token_urlsafe(24)),
        )
        assert answer.status_code == 200, answer.text
        assert answer.json()["cast_at"] is None
        said[answer.json()["tracker"]] = choice
    return said


async def open_box(client: httpx.AsyncClient, stage: Stage, poll_id: UUID) -> dict[str, Any]:
    await stage.closed(poll_id)
    for name, role in OPENERS:
        answer = await client.put(
            f"/v1/polls/{poll_id}/box-opening", headers=stage.world.headers(name, role)
        )
        assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_voter_finds_the_own_ballot_on_the_list_and_nobody_elses(
    client: httpx.AsyncClient, stage: Stage, world: World
) -> None:
    poll, people = await stage.household_poll(6)
    said = await cast_all(client, stage, poll.id, people)
    home = f"/v1/polls/{poll.id}"
    opened = await open_box(client, stage, poll.id)
    assert opened["mode"] == "confidential"
    roles = sorted(one["role"] for one in opened["box"]["openers"])
    assert roles == ["supervisor", "teller", "teller"]
    assert opened["box"]["destroyed_at"] is None
    await stage.work()
    for name, role in OPENERS:
        digest = (await stage.load(poll.id)).result_digest
        signed = await client.put(
            f"{home}/signature", json={"result_digest": digest}, headers=world.headers(name, role)
        )
        assert signed.status_code == 200, signed.text
    assert signed.json()["state"] == "published"
    assert signed.json()["box"]["destroyed_at"] is not None

    first = (await client.get(f"{home}/opened-ballots", params={"limit": 4})).json()
    rest = (
        await client.get(f"{home}/opened-ballots", params={"cursor": first["next_cursor"]})
    ).json()
    listed = first["items"] + rest["items"]
    assert (len(first["items"]), len(rest["items"]), rest["next_cursor"]) == (4, 2, None)
    assert {one["tracker"]: one["answers"][0]["choices"][0] for one in listed} == said
    assert all(one.keys() == {"number", "tracker", "answers"} for one in listed)

    mine = await client.get(f"{home}/ballot", headers=voter(world, people[0]))
    assert mine.json() == {
        "receipt": None,
        "channel": "electronic",
        "answers": None,
        "cast_at": None,
    }
    place = (await client.get(f"{home}/eligibility", headers=voter(world, people[0]))).json()
    assert place["voted"]
    staff = await client.get(f"{home}/ballots", headers=world.headers("teller1", Role.TELLER))
    assert (staff.status_code, staff.json()["code"]) == (422, "not-named")
    named, _ = await stage.lift_poll()
    other = await client.get(f"/v1/polls/{named.id}/opened-ballots")
    assert (other.status_code, other.json()["code"]) == (404, "not-found")


async def test_a_client_can_work_out_its_tracker_without_the_answer(
    client: httpx.AsyncClient, stage: Stage, world: World
) -> None:
    poll, people = await stage.household_poll(2)
    once = token_urlsafe(24)
    path = f"/v1/polls/{poll.id}/ballot"
    first = await client.put(path, json=answers("for"), headers=voter(world, people[1], once))
    again = await client.put(path, json=answers("for"), headers=voter(world, people[1], once))
    assert again.content == first.content
    place = await client.get(f"/v1/polls/{poll.id}/eligibility", headers=voter(world, people[1]))
    assert first.json()["tracker"] == tracker(once.encode(), poll.id, place.json()["number"])
    for bad in (None, "short", "00000000-0000-0000-0000-000000000000"):
        refused = await client.put(path, json=answers("for"), headers=voter(world, people[0], bad))
        assert (refused.status_code, refused.json()["code"]) == (422, "ballot-secret-needed")


async def test_no_role_sees_a_choice_or_a_count_before_the_publication(
    client: httpx.AsyncClient, stage: Stage, world: World
) -> None:
    poll, people = await stage.household_poll(6)
    said = await cast_all(client, stage, poll.id, people)
    paths = ["", "/ballots", "/opened-ballots", "/roll", "/ballot", "/eligibility"]

    async def look(*, counted: bool) -> None:
        readers = [{}, *(voter(world, person) for person in people[:2])]
        readers += [world.headers(name, role) for name, role in world.assignments]
        signers = [world.headers(name, role)["minyi-role"] for name, role in OPENERS]
        for headers in readers:
            for path in paths:
                answer = await client.get(f"/v1/polls/{poll.id}{path}", headers=headers)
                assert not any(one in answer.text for one in said), path
                if path == "" and not (counted and headers.get("minyi-role") in signers):
                    assert answer.json()["result"] is None
                if path == "/opened-ballots":
                    assert answer.json()["code"] == "choices-sealed"
                if path in ("/ballots", "/ballot"):
                    assert '"choices"' not in answer.text
        page = await client.get(f"/t/{poll.topic_id}")
        assert page.status_code == 200
        assert not any(one in page.text for one in said)

    await look(counted=False)
    await stage.closed(poll.id)
    await look(counted=False)
    await open_box(client, stage, poll.id)
    await look(counted=True)


async def test_secret_tracker_choice_and_voter_are_in_no_log_and_in_no_store_of_keys(
    client: httpx.AsyncClient, stage: Stage, world: World, log: io.StringIO
) -> None:
    poll, people = await stage.household_poll(6)
    once = [token_urlsafe(24) for _ in people]
    seen: list[str] = [*once]
    for person, secret in zip(people, once, strict=True):
        for choice in ("for", "against"):  # the second is refused
            answer = await client.put(
                f"/v1/polls/{poll.id}/ballot",
                json=answers(choice),
                headers=voter(world, person, secret),
            )
            if answer.status_code == 200:
                seen += [answer.json()["tracker"], answer.json()["receipt"]]
    await open_box(client, stage, poll.id)
    await stage.work()
    text = log.getvalue()
    assert not any(one in text for one in seen)
    cast = [one for one in map(json.loads, text.splitlines()) if one.get("method") == "PUT"]
    cast = [one for one in cast if one["route"].endswith("/ballot")]
    assert len(cast) == 12
    assert all(one["actor_id"] is None for one in cast)
    assert not any(str(person) in text for person in people)
    async with stage.db.read() as tx:
        assert list(await tx.session.exec(select(IdempotencyRecord))) == []


async def test_the_mode_is_said_honestly_in_both_languages_and_on_the_page(
    client: httpx.AsyncClient, stage: Stage
) -> None:
    poll, _ = await stage.household_poll(2)
    named, _ = await stage.lift_poll()
    for id, chinese, english in (
        (poll.id, "不是无记名表决", "not an anonymous one"),
        (named.id, "记名表决", "named vote"),
    ):
        zh = (await client.get(f"/v1/polls/{id}", headers={"accept-language": "zh-CN"})).json()
        en = (await client.get(f"/v1/polls/{id}", headers={"accept-language": "en"})).json()
        assert chinese in zh["mode_promise"]
        assert english in en["mode_promise"]
    page = await client.get(f"/t/{poll.topic_id}", headers={"accept-language": "zh-CN"})
    assert "不是无记名表决" in page.text
    assert "私自保留密钥" in page.text
