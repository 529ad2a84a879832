"""Text that comes in can be seen: no control characters, and nothing that hides or turns what is
read. Two options that look alike were two answers to one question."""

from typing import Any

import httpx
import pytest

from consultation.database import Database
from consultation.permissions import Role
from tests.api.test_polls import draft_body
from tests.conftest import ManualClock
from tests.consultation.polls.stage import Stage
from tests.world import World

UNSEEN = ["\x00", "\x07", "\x1b", "\x7f", "\x85", "\u202e", "\u2066", "\u200b", "\ufeff", "\u00ad"]


@pytest.fixture
async def stage(db: Database, world: World, clock: ManualClock, client: httpx.AsyncClient) -> Stage:
    return Stage(db=db, world=world, clock=clock)


async def refusals(client: httpx.AsyncClient, stage: Stage, **change: Any) -> Any:
    """The fields of a draft that are refused, and why; none of one that is taken."""
    entrance, _ = await stage.lift()
    topic = await stage.topic("lift_scope_owners", entrance)
    answer = await client.put(
        f"/v1/topics/{topic.id}/poll",
        json=draft_body(stage, entrance, **change),
        headers=stage.world.headers("clerk", Role.CLERK),
    )
    if answer.status_code == 200:
        return []
    assert (answer.status_code, answer.json()["code"]) == (422, "malformed-request"), answer.text
    return [(one["field"], one["problem"]) for one in answer.json()["facts"]["fields"]]


async def test_what_cannot_be_seen_is_refused_where_it_stands(
    client: httpx.AsyncClient, stage: Stage
) -> None:
    entrance, _ = await stage.lift()
    topic = await stage.topic("lift_scope_owners", entrance)
    for character in UNSEEN:
        text = f"同意{character}加装"
        options = [{"code": "a", "text": "甲"}, {"code": "b", "text": f"乙{character}甲"}]
        for change, field in (
            ({"question": text}, "body.question"),
            ({"items": [{"text": text}]}, "body.items.0.text"),
            ({"items": [{"text": "甲", "options": options}]}, "body.items.0.options.1.text"),
        ):
            answer = await client.put(
                f"/v1/topics/{topic.id}/poll",
                json=draft_body(stage, entrance, **change),
                headers=stage.world.headers("clerk", Role.CLERK),
            )
            assert answer.status_code == 422, (character, answer.text)
            fields = answer.json()["facts"]["fields"]
            assert fields == [{"field": field, "problem": "unprintable_text"}], repr(character)


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"question": "是否同意\n加装"}, [("body.question", "line_break")]),
        ({"items": [{"text": "加装\t电梯"}]}, [("body.items.0.text", "line_break")]),
        (
            {"items": [{"text": "甲", "options": [{"code": "a", "text": "甲\n乙"}]}]},
            [("body.items.0.options.0", "line_break")],
        ),
        ({"question": "是否同意加装👨\u200d👩\u200d👧电梯\u3000(全角)"}, []),
    ],
)
async def test_a_question_is_one_line_and_may_hold_emoji(
    client: httpx.AsyncClient, stage: Stage, change: dict[str, Any], expected: Any
) -> None:
    assert await refusals(client, stage, **change) == expected


async def test_longer_texts_may_have_lines(client: httpx.AsyncClient, stage: Stage) -> None:
    poll, _ = await stage.lift_poll()
    body = {"closes_at": poll.closes_at.isoformat(), "reason": "一、外出\n二、天气\t差"}
    answer = await client.put(
        f"/v1/polls/{poll.id}/extension",
        json=body,
        headers=stage.world.headers("secretary", Role.PARTY_SECRETARY),
    )
    assert answer.json()["code"] != "malformed-request"
