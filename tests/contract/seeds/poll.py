"""An open poll with one ballot and an objection to its roll."""

from datetime import timedelta
from uuid import UUID, uuid4

from consultation.database import Database
from consultation.polls.objection_tables import RollObjection
from consultation.polls.objections import RollObjectionKind, RollObjectionState
from consultation.polls.preset_files import presets
from consultation.polls.presets import BallotMode
from consultation.polls.rules import BallotChannel, PollItem, PollState
from consultation.polls.tables import Ballot, Poll, PollTurnout, RollEntry
from consultation.topics.tables import Topic
from tests.contract.seeds import SECRET
from tests.world import World


async def sow(db: Database, world: World, topic: Topic, hidden: Topic) -> dict[str, UUID]:
    poll, entry = uuid4(), uuid4()
    async with db.begin() as tx:
        tx.session.add(
            Poll(
                id=poll,
                community_id=topic.community_id,
                topic_id=topic.id,
                round=1,
                scope_node_id=world.nodes["entrance"].id,
                scope_name="桐荫苑3幢2单元",
                question="是否加装电梯",
                items=[PollItem(number=1, text="加装电梯")],
                preset=next(iter(presets().values())),
                mode=BallotMode.NAMED,
                state=PollState.OPEN,
                drafted_by_id=world.id("clerk"),
                announced_by_id=world.id("secretary"),
                text_hash="0" * 64,
                roll_digest="0" * 64,
                eligible_heads=2,
                eligible_area_dm2=2 * 6835,
                announced_at=tx.now,
                opens_at=tx.now,
                closes_at=tx.now + timedelta(days=10),
                drafted_at=tx.now,
            )
        )
        await tx.session.flush()
        for number, id, voter in ((1, entry, "resident1"), (2, uuid4(), "resident2")):
            tx.session.add(
                RollEntry(
                    id=id,
                    community_id=topic.community_id,
                    poll_id=poll,
                    number=number,
                    person_id=world.id(voter),
                    label="3幢 居*",
                    area_dm2=6835,
                    units=[],
                )
            )
        tx.session.add(PollTurnout(poll_id=poll, shard=0, community_id=topic.community_id, heads=1))
        await tx.session.flush()
        tx.session.add(
            Ballot(
                poll_id=poll,
                roll_entry_id=entry,
                community_id=topic.community_id,
                choices={"1": ["against"]},
                channel=BallotChannel.ASSISTED,
                entered_by_id=world.id("clerk"),
                consent_note=f"{SECRET}委托",
                salt=bytes(16),
                leaf_hash=bytes(32),
                cast_at=tx.now,
            )
        )
        objection = uuid4()
        tx.session.add(
            RollObjection(
                id=objection,
                community_id=topic.community_id,
                poll_id=poll,
                number=2,
                kind=RollObjectionKind.WRONG_VOTER,
                ground=f"{SECRET}名册异议",
                filed_by_id=world.id("resident3"),
                filed_at=tx.now,
                due_at=tx.now + timedelta(days=3),
                state=RollObjectionState.OPEN,
            )
        )
    return {"poll_id": poll, "objection_id": objection}
