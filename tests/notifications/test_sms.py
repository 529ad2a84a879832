"""The SMS port: over real HTTP to a small provider that checks the signature, and into a file."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from structlog.testing import capture_logs

from api.notice_words import write
from api.server import serving
from notifications.channels import Letter, Outcome
from notifications.channels.sms import FileSms, HttpSms, SmsOff
from notifications.sender import letter_facts
from tests.conftest import START, ManualClock

SECRET = "shared with the provider"
PHONE = "19900000001"
LETTER = Letter(
    dedupe_key="notice:sms",
    person_id=UUID(int=7),
    template="poll_opened",
    facts={"title": "加装电梯", "closes_at": START},
    title="表决开始",
    text="《加装电梯》的表决已经开始。",
    page="pages/poll/poll?id=1",
    phone=PHONE,
    link="https://wxaurl.cn/abc",
)


class Provider:
    """Takes each id once, and only what is signed with its secret."""

    def __init__(self) -> None:
        self.taken: dict[str, dict[str, Any]] = {}
        self.asked = 0
        self.answer: tuple[int, str] | None = None
        self.app = FastAPI(openapi_url=None)
        self.app.post("/messages")(self.take)

    async def take(self, request: Request) -> Response:
        self.asked += 1
        body = await request.body()
        at, nonce = request.headers["x-minyi-timestamp"], request.headers["x-minyi-nonce"]
        wanted = hmac.new(SECRET.encode(), f"{at}\n{nonce}\n".encode() + body, hashlib.sha256)
        if request.headers["x-minyi-signature"] != wanted.hexdigest():
            return Response(status_code=401)
        message = json.loads(body)
        self.taken.setdefault(message["id"], message)
        if self.answer is not None:
            status, text = self.answer
            return Response(text, status, media_type="application/json")
        return Response('{"accepted": true, "message_id": "m-1"}', media_type="application/json")


@pytest.fixture
async def provider() -> Provider:
    return Provider()


@pytest.fixture
async def url(provider: Provider) -> AsyncGenerator[str]:
    async with serving(provider.app) as base:
        yield f"{base}/messages"


def sms(url: str, clock: ManualClock, **change: Any) -> HttpSms:
    usual: dict[str, Any] = {
        "key": "app-1",
        "secret": SECRET,
        "signature": "梧桐里社区",
        "templates": {"poll_opened": "SMS_001"},
        "clock": clock,
        "timeout": 2.0,
    }
    return HttpSms(url, **(usual | change))


async def test_a_message_is_taken_over_signed_and_with_its_template(
    url: str, provider: Provider, clock: ManualClock
) -> None:
    channel = sms(url, clock)
    result = await channel.send(LETTER)
    await channel.close()

    assert (result.outcome, result.reference) == (Outcome.SENT, "m-1")
    [message] = provider.taken.values()
    assert message == {
        "id": "notice:sms",
        "to": PHONE,
        "signature": "梧桐里社区",
        "template": "SMS_001",
        "params": {
            "title": "表决开始",
            "text": "《加装电梯》的表决已经开始。",
            "link": "https://wxaurl.cn/abc",
            "topic": "加装电梯",
            "closes_at": START.isoformat(),
        },
    }


async def test_a_provider_is_given_no_fact_that_the_words_hide(
    url: str, provider: Provider, clock: ManualClock
) -> None:
    event: dict[str, dict[str, Any]] = {
        "reply": {"title": "加装电梯", "about": "dissent_recorded", "reason_code": "illegal"},
        "barred": {"bar_reason": "stolen"},
        "poll_opened": {"title": "加装电梯", "closes_at": START.isoformat(), "text_hash": "ab"},
    }
    channel = sms(url, clock, templates={"*": "SMS_000"})
    for words, facts in event.items():
        title, text = write(words, facts)
        letter = replace(
            LETTER,
            dedupe_key=words,
            template=words,
            facts=letter_facts({"event": "user.notified", "round": 1} | facts),
            title=title,
            text=text,
            link=None,
        )
        assert (await channel.send(letter)).outcome is Outcome.SENT
    await channel.close()

    given = {words: message["params"] for words, message in provider.taken.items()}
    assert given["reply"] == {
        "title": "您有一项新的答复",
        "text": "详情:请打开应用查看",
        "link": "",
        "topic": "加装电梯",
    }
    assert given["barred"].keys() == {"title", "text", "link"}
    assert "盗用" not in given["barred"]["text"]
    assert given["poll_opened"].keys() == {"title", "text", "link", "topic", "closes_at"}


async def test_a_refusal_is_logged_with_its_code(
    url: str, provider: Provider, clock: ManualClock
) -> None:
    provider.answer = (200, '{"accepted": false, "code": "blacklisted"}')
    channel = sms(url, clock)
    with capture_logs() as lines:
        await channel.send(LETTER)
    await channel.close()

    assert [(line["event"], line["code"]) for line in lines] == [("sms refused", "blacklisted")]
    assert PHONE not in str(lines)


async def test_the_same_message_again_is_the_same_to_the_provider(
    url: str, provider: Provider, clock: ManualClock
) -> None:
    channel = sms(url, clock)
    for _ in range(3):
        assert (await channel.send(LETTER)).outcome is Outcome.SENT
    await channel.close()

    assert (provider.asked, len(provider.taken)) == (3, 1)


@pytest.mark.parametrize(
    ("answer", "outcome", "error"),
    [
        ((200, '{"accepted": false, "code": "blacklisted"}'), Outcome.REFUSED, "blacklisted"),
        ((200, "<html>"), Outcome.RETRY_LATER, "unintelligible"),
        ((200, "[]"), Outcome.RETRY_LATER, "unintelligible"),
        ((200, '{"error": "internal"}'), Outcome.RETRY_LATER, "unintelligible"),
        ((200, '{"accepted": null, "error": "internal"}'), Outcome.RETRY_LATER, "unintelligible"),
        ((200, '{"accepted": "true"}'), Outcome.RETRY_LATER, "unintelligible"),
        ((200, '{"accepted": 1}'), Outcome.RETRY_LATER, "unintelligible"),
        ((200, '{"accepted": false}'), Outcome.REFUSED, None),
        ((429, "{}"), Outcome.RETRY_LATER, "http_429"),
        ((503, "{}"), Outcome.RETRY_LATER, "http_503"),
        ((400, "{}"), Outcome.FAULTY, "http_400"),
    ],
)
async def test_what_the_provider_says_decides_what_becomes_of_it(
    url: str,
    provider: Provider,
    clock: ManualClock,
    answer: tuple[int, str],
    outcome: Outcome,
    error: str,
) -> None:
    provider.answer = answer
    channel = sms(url, clock)
    result = await channel.send(LETTER)
    await channel.close()

    assert (result.outcome, result.error) == (outcome, error)


async def test_a_wrong_secret_and_a_provider_that_is_not_there(
    url: str, provider: Provider, clock: ManualClock
) -> None:
    wrong = sms(url, clock, secret="another")
    assert (await wrong.send(LETTER)).outcome is Outcome.FAULTY
    await wrong.close()
    nowhere = sms("http://127.0.0.1:9/messages", clock)
    assert (await nowhere.send(LETTER)).outcome is Outcome.RETRY_LATER
    await nowhere.close()
    assert provider.taken == {}


async def test_words_without_a_template_use_the_one_for_all_others_or_are_our_fault(
    url: str, provider: Provider, clock: ManualClock
) -> None:
    general = sms(url, clock, templates={"*": "SMS_000"})
    assert (await general.send(LETTER)).outcome is Outcome.SENT
    await general.close()
    assert provider.taken["notice:sms"]["template"] == "SMS_000"
    none = sms(url, clock, templates={"reply": "SMS_002"})
    assert (await none.send(LETTER)).error == "no_template"
    await none.close()


async def test_the_file_has_a_line_for_each_message(tmp_path: Path, clock: ManualClock) -> None:
    path = tmp_path / "sms" / "out.jsonl"
    channel = FileSms(path, clock=clock)
    assert (await channel.send(LETTER)).outcome is Outcome.SENT
    assert (await channel.send(LETTER)).outcome is Outcome.SENT
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]

    assert [line["to"] for line in lines] == [PHONE, PHONE]
    assert datetime.fromisoformat(lines[0]["at"]) == START
    assert "表决开始" in lines[0]["text"]


async def test_nobody_without_a_phone_or_without_a_provider_is_reached(
    tmp_path: Path, url: str, provider: Provider, clock: ManualClock
) -> None:
    letter = Letter(
        dedupe_key="k",
        person_id=UUID(int=7),
        template="poll_opened",
        facts={},
        title="",
        text="",
        page="",
    )
    http = sms(url, clock)
    for channel in (http, FileSms(tmp_path / "x", clock=clock), SmsOff()):
        assert (await channel.send(letter)).outcome is Outcome.NOT_REACHABLE
        await channel.close()
    assert (await SmsOff().send(LETTER)).outcome is Outcome.NOT_REACHABLE
    assert provider.asked == 0


def test_a_letter_does_not_show_the_phone() -> None:
    assert PHONE not in repr(LETTER)


async def test_a_gateway_whose_answer_drips_in_is_not_waited_for_to_the_end(
    clock: ManualClock,
) -> None:
    """Each piece comes in time, so that no timeout of reading ever helps."""

    async def drip() -> AsyncGenerator[bytes]:
        for _ in range(100):
            yield b" "
            await asyncio.sleep(0.1)

    app = FastAPI(openapi_url=None)
    app.post("/messages")(lambda: StreamingResponse(drip(), media_type="application/json"))
    async with serving(app) as base:
        channel = sms(f"{base}/messages", clock, timeout=0.3)
        begun = asyncio.get_running_loop().time()
        result = await channel.send(LETTER)
        took = asyncio.get_running_loop().time() - begun
        await channel.close()

    assert (result.outcome, result.error) == (Outcome.RETRY_LATER, "TimeoutError")
    assert took < 1
