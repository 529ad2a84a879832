"""Where a chain that owes ends: on the sheet of a grid, or with the clerk, and never in nothing."""

from uuid import UUID, uuid4

import pytest

from consultation.database import Database
from consultation.permissions import Role
from notifications.audience import Urgency
from notifications.channels import Outcome
from notifications.debts import add_notices
from notifications.policy import policy
from notifications.sheets import Visit, sheet, sheet_of_no_grid
from tests.conftest import ManualClock
from tests.consultation.polls.stage import Stage
from tests.notifications.house import House, always
from tests.world import World

OWED = sorted(
    name for name, chain in policy().chains.items() if chain.exceeds_budget and name != "ballot"
)


@pytest.fixture
def house(db: Database, world: World, clock: ManualClock) -> House:
    house = House(db, clock, world)
    house.wechat.answer = house.sms.answer = always(Outcome.NOT_REACHABLE)
    return house


async def owe(house: House, person_id: UUID, chain: str, community_id: UUID | None) -> UUID:
    async with house.db.begin() as tx:
        notice = {
            "id": uuid4(),
            "dedupe_key": uuid4().hex,
            "event_id": None,
            "person_id": person_id,
            "community_id": community_id,
            "words": "reply",
            "urgency": Urgency.NORMAL,
            "facts": {"about": "dissent_explained"},
            "topic_id": None,
            "poll_id": None,
            "created_at": tx.now,
        }
        await add_notices(tx, [notice], {notice["id"]: chain})
        return notice["id"]


async def on_sheets(house: House) -> tuple[dict[UUID, Visit], dict[UUID, Visit]]:
    """By notice, what the grid worker and what the clerk is to bring."""
    world = house.world
    async with house.db.read(world.as_("grid_worker", Role.GRID_WORKER)) as tx:
        _, of_grid = await sheet(tx, world.nodes["grid"].id)
    async with house.db.read(world.as_("clerk", Role.CLERK)) as tx:
        _, of_clerk = await sheet_of_no_grid(tx, world.community.id)
    return (
        {visit.notice.id: visit for visit in of_grid},
        {visit.notice.id: visit for visit in of_clerk},
    )


@pytest.mark.parametrize("account", [False, True])
@pytest.mark.parametrize("chain", OWED)
async def test_who_has_no_phone_and_no_wechat_is_on_somebodys_list(
    house: House, world: World, stage: Stage, chain: str, account: bool
) -> None:
    here = world.community.id
    at_home = world.id("resident1")
    (elsewhere,) = await stage.people(1, here)  # an owner of whom no grid is known
    if account:  # that WeChat does not take messages for
        await house.give_accounts([at_home, elsewhere])
    brought = await owe(house, at_home, chain, here)
    of_the_account = await owe(house, at_home, chain, None)
    asked_after = await owe(house, elsewhere, chain, here)
    of_their_account = await owe(house, elsewhere, chain, None)
    await house.later(hours=12)

    of_grid, of_clerk = await on_sheets(house)
    assert of_grid.keys() == {brought, of_the_account}
    assert of_clerk.keys() == {asked_after, of_their_account}
    assert {visit.address for visit in of_grid.values()} == {"H1"}


def test_what_is_owed_is_what_the_names_say() -> None:
    assert OWED == ["owed", "vote"]


@pytest.fixture
def stage(db: Database, world: World, clock: ManualClock) -> Stage:
    return Stage(db=db, world=world, clock=clock)
