"""How deliberation ends: with an outcome to draft, before the assembly, or in another round."""

from uuid import UUID

from consultation.database import Transaction
from consultation.permissions import Deed
from consultation.topics import rules
from consultation.topics.documents import Paper
from consultation.topics.lifecycle import advance
from consultation.topics.queries import access_topic
from consultation.topics.states import Act, ReconsultationGround
from consultation.topics.tables import TopicTransition


async def close_deliberation(
    tx: Transaction, topic_id: UUID, *, expected_version: int | None = None
) -> TopicTransition:
    """T10: the host closes when what the plan asked for took place and every group was heard."""
    topic = await access_topic(
        tx, topic_id, Deed.RUN_MEETING, lock=True, expected_version=expected_version
    )
    return await advance(tx, topic, Act.CLOSE_DELIBERATION)


async def escalate_topic(
    tx: Transaction, topic_id: UUID, *, reason: str, motion: Paper
) -> TopicTransition:
    """T15: to the residents' or villagers' assembly, or that of the owners."""
    topic = await access_topic(tx, topic_id, Deed.CONVENE, lock=True)
    return await advance(tx, topic, Act.ESCALATE, reason=reason, paper=motion)


async def prepare_assembly(tx: Transaction, topic_id: UUID) -> TopicTransition:
    """T15a: the assembly decides in a round of its own, with its own plan and poll."""
    topic = await access_topic(tx, topic_id, Deed.PREPARE, lock=True)
    step = await advance(tx, topic, Act.PREPARE_ASSEMBLY)

    topic.layer = rules.layer_of_assembly(topic.layer)
    return step


async def reconsult_topic(
    tx: Transaction,
    topic_id: UUID,
    *,
    ground: ReconsultationGround,
    reason: str,
    changes: tuple[str, ...],
    title: str = "再协商说明",
) -> TopicTransition:
    """T16: consult once more, at most three rounds in all; ``changes`` lists what is different."""
    topic = await access_topic(tx, topic_id, Deed.CONVENE, lock=True)
    body = "\n".join([reason, *changes])
    return await advance(
        tx,
        topic,
        Act.RECONSULT,
        reason=reason,
        reason_code=ground.value,
        change_list=changes,
        paper=Paper(title, body),
    )
