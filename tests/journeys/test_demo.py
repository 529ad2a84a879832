"""The demo is the longest story: five topics over a real server, as their people."""

import asyncio
import io
from collections.abc import AsyncGenerator
from datetime import datetime

import httpx
import pytest

from api import logs
from api.demo import run
from api.demo.fixtures import check_numbers
from api.demo.people import People, Person, Session, UnexpectedAnswer
from api.demo.playbill import WALKED, WHOLE
from api.demo.stage import Difference, Stage
from api.demo.voters import choose
from api.demo.watcher import Watcher
from consultation.ids import random_id


def test_five_topics_walk_from_submission_to_their_states_without_a_difference() -> None:
    logs.configure(io.StringIO())
    told: list[str] = []

    steps = asyncio.run(run.check(told.append))

    assert steps >= 80
    for story in ("D1 ", "D2 ", "D6 ", "D11", "D12", "D13", "8.3", "实时"):
        assert any(f"  {story}" in line for line in told), story
    for said, times in (
        ("用本人账号会签: 1", 4),
        ("会签不齐,计票人不能签字", 2),
        ("各渠道计入", 2),
    ):
        assert sum(said in line for line in told) == times, said


def test_a_number_that_differs_stops_the_check(monkeypatch: pytest.MonkeyPatch) -> None:
    from api.demo import fixtures

    monkeypatch.setattr(fixtures, "FLATS", [6835, 7420] * 5 + [6835, 7421])
    stage = Stage(None, run.StoryClock(), None, None, print)  # type: ignore[arg-type]

    with pytest.raises(Difference):
        check_numbers(stage)


def test_the_bill_has_thirteen_topics_of_which_five_are_walked() -> None:
    assert len(WHOLE) == 12  # D11 is played with D2
    assert len(WALKED) == 5


def test_owners_are_chosen_so_that_heads_and_area_are_exact() -> None:
    areas = {f"p{n}": 8865 + 5 * (n % 40) for n in range(200)}
    chosen = choose(areas, 60, sum(sorted(areas.values())[70:130]), seed=1)

    assert len(set(chosen)) == 60
    assert sum(areas[one] for one in chosen) == sum(sorted(areas.values())[70:130])


async def test_stories_take_turns_in_the_order_of_their_moments() -> None:
    heard: list[str] = []

    async def story(name: str, *days: str) -> AsyncGenerator[datetime]:
        for day in days:
            yield run.at(day)
            heard.append(f"{name} {day}")

    class Quiet(Stage):
        async def move_to(self, moment: datetime) -> None:
            self.clock.move_to(moment)

    stage = Quiet(None, run.StoryClock(), None, None, print)  # type: ignore[arg-type]
    await stage.play([story("a", "2026-03-11", "2026-03-13"), story("b", "2026-03-12")])

    assert heard == ["a 2026-03-11", "b 2026-03-12", "a 2026-03-13"]


async def test_a_watcher_whose_log_in_came_too_late_comes_again() -> None:
    tries = asyncio.Queue[str]()

    class Late(People):
        async def log_in(self, person: Person) -> Session:
            tries.put_nowait(person.name)
            raise UnexpectedAnswer("the token ran out before the phone was bound")

    async with httpx.AsyncClient() as nobody:
        people = Late(nobody, nobody, random_id, {})
        watcher = Watcher("ws://127.0.0.1:9/v1/live", Person("陶颖", "19900000000", people))
        watcher.start()
        async with asyncio.timeout(5):
            assert [await tries.get() for _ in range(2)] == ["陶颖", "陶颖"]
        await watcher.stop()
