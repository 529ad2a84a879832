from sqlmodel import select

from consultation.database import Database
from consultation.journal import JournalEntry
from consultation.permissions import Deed, Role
from consultation.topics.documents import Paper
from consultation.topics.lifecycle import advance
from consultation.topics.queries import access_topic
from consultation.topics.states import Act, State
from tests.world import World, a_topic


async def test_a_transition_is_journalled_in_its_transaction(db: Database, world: World) -> None:
    topic = await a_topic(db, world)

    async with db.begin(world.as_("clerk", Role.CLERK)) as tx:
        found = await access_topic(tx, topic.id, Deed.SCREEN, lock=True)
        note = Paper("退回补正通知", "请写明受影响的人")
        await advance(tx, found, Act.RETURN, reason="请写明受影响的人", paper=note)

    async with db.read() as tx:
        entries = (await tx.session.exec(select(JournalEntry))).all()
    assert [(e.type, e.data["to_state"], e.actor_role) for e in entries] == [
        ("topic.state_changed", State.RETURNED.value, "clerk")
    ]
