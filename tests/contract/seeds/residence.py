"""A claim to a home and a barred account."""

from uuid import UUID, uuid4

from consultation.community.tables import AccountBar, BarReason, Residence, ResidenceKind
from consultation.database import Database
from consultation.topics.tables import Topic
from tests.contract.seeds import SECRET
from tests.world import World


async def sow(db: Database, world: World, topic: Topic, hidden: Topic) -> dict[str, UUID]:
    claim, bar = uuid4(), uuid4()
    async with db.begin() as tx:
        tx.session.add(
            AccountBar(
                id=bar,
                community_id=topic.community_id,
                node_id=topic.community_id,
                person_id=world.id("visitor"),
                reason=BarReason.ORDER,
                basis=f"{SECRET}决定",
                proposed_by_id=world.id("admin"),
                proposed_at=tx.now,
            )
        )
        tx.session.add(
            Residence(
                id=claim,
                person_id=world.id("official"),
                community_id=topic.community_id,
                grid_id=world.nodes["grid"].id,
                kind=ResidenceKind.TENANT,
                level=1,
                claim_sealed=tx.vault.seal(claim, f"{SECRET}住址"),
                created_at=tx.now,
            )
        )
    return {"residence_id": claim, "bar_id": bar}
