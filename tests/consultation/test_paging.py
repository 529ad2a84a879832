from collections.abc import Sequence
from uuid import UUID, uuid4

from consultation.database import Database
from consultation.deliberation.queries import threads_of
from consultation.deliberation.tables import Thread
from consultation.paging import TimeKey
from consultation.topics.states import State
from tests.conftest import ManualClock
from tests.world import World, a_topic


async def test_pages_have_every_row_once_also_where_several_came_at_one_instant(
    db: Database, world: World, clock: ManualClock
) -> None:
    topic = await a_topic(db, world, state=State.DELIBERATING)
    for _ in range(2):
        clock.advance(seconds=1)
        async with db.begin() as tx:
            for _ in range(3):
                tx.session.add(
                    Thread(
                        id=uuid4(),
                        community_id=topic.community_id,
                        topic_id=topic.id,
                        round=1,
                        title="怎样出资",
                        opened_by_id=world.id("clerk"),
                        created_at=tx.now,
                    )
                )

    async def page(after: TimeKey | None, limit: int) -> Sequence[Thread]:
        async with db.read() as tx:
            return await threads_of(tx, topic.id, after=after, limit=limit)

    whole = [thread.id for thread in await page(None, 9)]
    paged: list[UUID] = []
    after = None
    while len(paged) <= 6 and (found := await page(after, 2)):
        paged += [thread.id for thread in found]
        after = (found[-1].created_at, found[-1].id)
    assert len(whole) == 6
    assert paged == whole
