"""Who takes part: an affected resident asks to be added, and is answered (S3)."""

from uuid import UUID

from consultation.database import Transaction
from consultation.events.topics import PlanChanged
from consultation.permissions import Deed
from consultation.topics import lookups, planning
from consultation.topics.commands.telling import tell
from consultation.topics.queries import access_request, access_topic
from consultation.topics.states import RequestState
from consultation.topics.tables import ParticipantRequest


async def ask_to_be_added(
    tx: Transaction, topic_id: UUID, *, group_name: str, reason: str
) -> ParticipantRequest:
    """Ask once per round, while the plan is made; until it is answered the words may be changed.
    Refuses with ParticipantsSettled or RequestAlreadyAnswered."""
    topic = await access_topic(tx, topic_id, Deed.COSIGN, lock=True)
    planning.check_asking(topic.state)
    request = await lookups.own_request(tx, topic)
    if request is None:
        request = ParticipantRequest(
            id=tx.new_id(),
            community_id=topic.community_id,
            topic_id=topic.id,
            round=topic.round,
            person_id=tx.person_id,
            group_name=group_name,
            reason=reason,
            state=RequestState.ASKED,
            at=tx.now,
        )
        tx.session.add(request)
    planning.check_unanswered(request.state)

    request.group_name = group_name
    request.reason = reason
    tx.emit(PlanChanged(community_id=topic.community_id, topic_id=topic.id, round=topic.round))
    return request


async def answer_request(
    tx: Transaction, request_id: UUID, *, granted: bool, answer: str
) -> ParticipantRequest:
    """Who prepares the consultation says yes or no, with a reason. Until all are answered the
    topic cannot be announced."""
    request, topic = await access_request(tx, request_id, Deed.PREPARE)
    planning.check_preparing(topic.state)
    planning.check_unanswered(request.state)

    request.state = RequestState.GRANTED if granted else RequestState.DECLINED
    request.answer = answer
    request.answered_by_id = tx.person_id
    request.answered_at = tx.now
    tell(
        tx,
        topic,
        {request.person_id},
        "participation_answered",
        subject_id=request.id,
        reason_code=request.state.value,
    )
    return request
