"""Marked personal data goes through the API and must not come out in a log line, a problem or the
journal (trust P01)."""

import io
import json
from collections.abc import Generator
from uuid import uuid4

import httpx
import pytest
import structlog
from sqlmodel import select

from api import logs
from consultation.database import Database
from consultation.deliberation.tables import Thread
from consultation.journal import JournalEntry
from consultation.permissions import Role
from consultation.topics.states import State
from tests.contract.seeded import seed
from tests.contract.seeds import SECRET
from tests.fake_wechat import FakeWechat, bearer, log_in
from tests.world import World, a_topic

PHONE = "13787654321"
OPENID = "o-canary-openid"
NAME = "欧阳灯塔"
ADDRESS = "灯塔路八号"
WORDS = "灯塔下的发言"
CANARIES = (PHONE, OPENID, NAME, "灯塔", SECRET)


@pytest.fixture
def log() -> Generator[io.StringIO]:
    before = structlog.get_config()
    stream = io.StringIO()
    logs.configure(stream)
    yield stream
    structlog.configure(**before)


def lines(log: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_personal_data_is_in_no_log_line_no_problem_and_no_journal_entry(
    client: httpx.AsyncClient, fake_wechat: FakeWechat, world: World, db: Database, log: io.StringIO
) -> None:
    made = await seed(db, world)
    topic = await a_topic(db, world, state=State.DELIBERATING)
    thread = uuid4()
    async with db.begin() as tx:
        tx.session.add(
            Thread(
                id=thread,
                community_id=topic.community_id,
                topic_id=topic.id,
                round=1,
                title="讨论",
                opened_by_id=world.id("clerk"),
                created_at=tx.now,
            )
        )
    done: list[httpx.Response] = []
    refused: list[httpx.Response] = []

    async def ask(wanted: list[httpx.Response], method: str, path: str, **request: object) -> None:
        wanted.append(await client.request(method, path, **request))  # type: ignore[arg-type]

    # a new person, from the log-in to the claim of a home
    session = await log_in(client, fake_wechat, OPENID, phone=PHONE)
    mine = bearer(session)
    code = await fake_wechat.phone_code(OPENID)
    await ask(done, "POST", "/v1/me/phone", headers=mine, json={"code": code})
    home = f"/v1/communities/{world.community.id}/my-residence"
    claim = {"kind": "tenant", "address": ADDRESS, "name": NAME}
    await ask(done, "PUT", home, headers=mine, json=claim)
    # a resident speaks, votes and disagrees
    resident = world.headers("resident2")
    post = {"body": WORDS, "stance": "against"}
    await ask(done, "POST", f"/v1/threads/{thread}/posts", headers=resident, json=post)
    ballot = f"/v1/polls/{made.addresses['poll_id']}/ballot"
    vote = {"answers": [{"item": 1, "choices": ["against"]}]}
    await ask(done, "PUT", ballot, headers=resident, json=vote)

    # all of it again in requests that are refused, each for another reason
    other_vote = {"answers": [{"item": 2, "choices": ["for"]}]}  # of an item that there is not
    await ask(refused, "PUT", ballot, headers=resident, json=other_vote)
    await ask(refused, "PUT", ballot, headers=mine, json=vote)
    await ask(refused, "POST", f"/v1/threads/{thread}/posts", headers=mine, json=post)
    await ask(refused, "PUT", home, headers=mine, json=claim | {"phone": PHONE})
    await ask(refused, "PUT", home, headers=mine, json=claim | {"kind": NAME})
    await ask(refused, "PUT", home, headers=mine, json={"address": ADDRESS * 50, "name": NAME * 50})
    await ask(refused, "PUT", home, headers=mine, content=f'{{"name": "{NAME}", "phone": {PHONE}')
    await ask(refused, "GET", f"/v1/me?phone={PHONE}", headers={"authorization": f"Bearer {PHONE}"})
    await ask(refused, "GET", f"/v1/nowhere/{PHONE}", headers=mine)
    await ask(refused, "POST", "/v1/session/wechat", json={"code": OPENID, "device": NAME})
    await ask(refused, "POST", "/v1/me/phone", headers=mine, json={"code": PHONE})

    assert [answer.text for answer in done if not answer.is_success] == []
    assert [answer.url for answer in refused if answer.is_success] == []
    secrets = (*CANARIES, WORDS, session["access_token"], session["refresh_token"])
    for answer in refused:
        assert [one for one in secrets if one in answer.text] == [], answer.request.url
    told = log.getvalue()
    assert [one for one in secrets if one in told] == []
    assert {key for line in lines(log) for key in line} <= logs.ALLOWED_FIELDS
    assert len([line for line in lines(log) if line["event"] == "request"]) >= len(done + refused)
    # a line about a vote says that somebody voted, and nothing of what
    votes = [line for line in lines(log) if str(line.get("route", "")).endswith("/ballot")]
    assert len(votes) == 3
    assert [word for word in ("against", "abstain") if word in told] == []
    async with db.read() as tx:
        journal = [(row.type, row.data) for row in await tx.session.exec(select(JournalEntry))]
    assert journal
    assert [one for one in secrets if one in json.dumps(journal, ensure_ascii=False)] == []


def test_a_field_that_is_not_on_the_list_is_not_written(log: io.StringIO) -> None:
    logs.log.info("request", status=200, phone=PHONE, name=NAME, body=WORDS)

    [line] = lines(log)
    assert line.keys() == {"event", "level", "timestamp", "status"}


def test_an_exception_is_logged_by_its_type_only(log: io.StringIO) -> None:
    try:
        raise ValueError(PHONE)
    except ValueError:
        logs.log.exception("worker", error_type="ValueError")

    assert PHONE not in log.getvalue()
    assert lines(log)[0]["error_type"] == "ValueError"


async def test_who_checks_a_claim_reads_name_and_address_and_nobody_the_whole_phone(
    client: httpx.AsyncClient, fake_wechat: FakeWechat, world: World
) -> None:
    session = await log_in(client, fake_wechat, OPENID, phone=PHONE)
    mine = bearer(session)
    code = await fake_wechat.phone_code(OPENID)
    await client.post("/v1/me/phone", headers=mine, json={"code": code})
    home = f"/v1/communities/{world.community.id}/my-residence"
    await client.put(home, headers=mine, json={"kind": "tenant", "address": ADDRESS, "name": NAME})
    claims = f"/v1/communities/{world.community.id}/residence-claims"

    checked = (await client.get(claims, headers=world.headers("clerk", Role.CLERK))).text
    assert NAME in checked
    assert ADDRESS in checked
    assert PHONE not in checked
    overseen = await client.get(claims, headers=world.headers("supervisor", Role.SUPERVISOR))
    assert overseen.status_code == 403
    assert PHONE not in (await client.get("/v1/me", headers=mine)).text
