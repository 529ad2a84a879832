"""What residents write into a survey goes out without a name: only what several wrote, and what a
check let pass."""

import time
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from consultation.oversight.tables import Survey
from consultation.permissions import Role
from consultation.topics.tables import Topic
from notifications.wechat.content import TEXT_CHECK
from notifications.wechat.tables import ContentCheck
from tests.api.wechat_house import House, house
from tests.conftest import ManualClock
from tests.consultation.outcomes.steps import run_due
from tests.consultation.oversight.test_surveys import opened
from tests.fake_wechat import FakeWechat
from tests.live import Start

INSULT = "【辱骂】老王"


@pytest.fixture
async def town(start: Start, fake_wechat: FakeWechat) -> AsyncGenerator[House]:
    async with house(start, fake_wechat) as made:
        yield made


async def asked(town: House, clock: ManualClock) -> tuple[Topic, Survey]:
    """resident1 to resident4 are in the mini-program when they are asked."""
    topic, survey = await opened(town.db, town.world, clock)
    for number in range(1, 5):
        await town.account(f"resident{number}", f"o{number}")
    return topic, survey


async def rate(town: House, survey: Survey, number: int, *themes: str) -> None:
    answer = await town.http.put(
        f"/v1/surveys/{survey.id}/answer",
        headers=town.world.headers(f"resident{number}"),
        json={"score": 2, "themes": list(themes)},
    )
    assert answer.status_code == 200, answer.text


async def published(town: House, topic: Topic, survey: Survey, clock: ManualClock) -> Any:
    clock.now = survey.closes_at
    await run_due(town.db)
    found = (await town.http.get(f"/v1/topics/{topic.id}/survey")).json()["result"]
    assert (await town.http.get(f"/t/{topic.id}")).text.count("老王") == 0
    return [(one["theme"], one["count"]) for one in found["themes"]]


async def test_only_themes_that_several_named_and_that_passed_are_published(
    town: House, clock: ManualClock
) -> None:
    topic, survey = await asked(town, clock)
    await rate(town, survey, 1, "积水", "张三家的狗")
    await rate(town, survey, 2, "积水")
    await rate(town, survey, 3, "积水")
    for number in (4, 5, 6):  # doubted once, and twice not to be asked about
        await rate(town, survey, number, INSULT)

    assert await published(town, topic, survey, clock) == [("积水", 3)]
    assert await town.fake.calls(TEXT_CHECK) == 4
    assert await town.rows(ContentCheck) == []  # it would say who wrote what


async def test_what_staff_entered_a_person_has_read(town: House, clock: ManualClock) -> None:
    topic, survey = await asked(town, clock)
    await rate(town, survey, 5, "积水")
    await rate(town, survey, 6, "积水")
    entered = await town.http.post(
        f"/v1/surveys/{survey.id}/entered-answers",
        headers=town.world.headers("clerk", Role.CLERK, key="entered one"),
        json={
            "person_id": str(town.world.id("resident1")),
            "channel": "paper",
            "score": 2,
            "themes": ["积水"],
        },
    )
    assert entered.status_code == 201, entered.text

    assert await published(town, topic, survey, clock) == [("积水", 3)]


@pytest.mark.parametrize("fault", [{"kind": "html"}, {"kind": "slow", "seconds": 4}])
async def test_without_a_verdict_the_answer_counts_and_its_themes_are_not_shown(
    town: House, clock: ManualClock, fault: dict[str, Any]
) -> None:
    topic, survey = await asked(town, clock)
    await town.fake.fault(TEXT_CHECK, n=1, **fault)
    begun = time.monotonic()
    await rate(town, survey, 1, "积水")
    assert time.monotonic() - begun < 4
    for number in (5, 6):
        await rate(town, survey, number, "积水")

    assert await published(town, topic, survey, clock) == []
    result = (await town.http.get(f"/v1/topics/{topic.id}/survey")).json()["result"]
    assert result["answers"] == 3
