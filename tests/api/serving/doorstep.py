"""Who goes to the doors of a poll, and what they carry."""

from uuid import UUID

import httpx

from consultation.events.people import UserNotified
from consultation.permissions import SYSTEM, Role
from consultation.polls.queries import frozen_roll
from consultation.polls.tables import Poll
from notifications.channels import Outcome
from tests.notifications.house import House, always
from tests.world import World

TOLD = {"channel": "doorstep", "evidence": "told", "reference": "走访登记 12 号"}


def worker(world: World) -> dict[str, str]:
    return world.headers("grid_worker", Role.GRID_WORKER)


async def unreachable(house: House) -> None:
    """No message arrives, and the hours after which somebody goes there are over."""
    house.wechat.answer = always(Outcome.NOT_REACHABLE)
    house.sms.answer = always(Outcome.NOT_REACHABLE)
    await house.later(hours=12)


async def people_on_roll(house: House, poll: Poll, number: int) -> tuple[UUID, list[UUID]]:
    """Who votes in a place, and the others."""
    async with house.db.read() as tx:
        places = (await frozen_roll(tx, poll)).values()
    people = {place.number: place.person_id for place in places if place.person_id is not None}
    return people.pop(number), list(people.values())


async def numbers_on_the_sheet(client: httpx.AsyncClient, world: World) -> list[int]:
    answer = await client.get(f"/v1/grids/{world.nodes['grid'].id}/sheet", headers=worker(world))
    return [visit["number"] for visit in answer.json()["visits"]]


async def owed_a_reply(house: House, person_id: UUID, community_id: UUID | None) -> None:
    """Their dissent was explained, or their account changed."""
    about = "account_erased" if community_id is None else "dissent_explained"
    async with house.db.begin(SYSTEM) as tx:
        tx.emit(
            UserNotified(
                community_id=community_id,
                person_id=person_id,
                about=about,
                topic_id=None,
                subject_id=None,
            )
        )
    await house.told()
