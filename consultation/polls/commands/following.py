"""The topic follows the count that is the vote: T13 or T14."""

from uuid import UUID

from consultation.database import Transaction
from consultation.polls.rules import Verdict
from consultation.topics.lifecycle import advance
from consultation.topics.states import Act
from consultation.topics.tables import Topic


async def follow(tx: Transaction, topic: Topic, verdict: Verdict, document_id: UUID) -> None:
    """A consequence of the last signature, or of the confirmation of a certified result."""
    failed = verdict is Verdict.NO_QUORUM
    await advance(
        tx,
        topic,
        Act.FAIL_QUORUM if failed else Act.PUBLISH_RESULT,
        documents=(document_id,),
        facts={"verdict": verdict.value},
        consequence=True,
    )
