"""A notice that nobody has read, on its way to be printed."""

from uuid import UUID, uuid4

from consultation.database import Database
from consultation.topics.tables import Topic
from notifications.audience import Urgency
from notifications.policy import Channel
from notifications.tables import Delivery, DeliveryState, Inbox, Notice
from tests.contract.seeds import SECRET
from tests.world import World


async def sow(db: Database, world: World, topic: Topic, hidden: Topic) -> dict[str, UUID]:
    notice, delivery = uuid4(), uuid4()
    async with db.begin() as tx:
        tx.session.add(
            Notice(
                id=notice,
                dedupe_key=f"{notice}",
                person_id=world.id("resident6"),
                community_id=topic.community_id,
                words="reply",
                urgency=Urgency.NORMAL,
                facts={"title": f"{SECRET}议题", "about": "dissent_explained"},
                created_at=tx.now,
            )
        )
        tx.session.add(Inbox(person_id=world.id("resident6"), unread=1))
        await tx.session.flush()
        tx.session.add(
            Delivery(
                id=delivery,
                dedupe_key=f"{notice}:printed",
                notice_id=notice,
                person_id=world.id("resident6"),
                community_id=topic.community_id,
                channel=Channel.PRINTED,
                chain="vote",
                step=2,
                urgency=Urgency.NORMAL,
                state=DeliveryState.WAITING,
                next_try=tx.now,
                grid_id=world.nodes["grid"].id,
                created_at=tx.now,
            )
        )
    return {"notice_id": notice, "delivery_id": delivery}
