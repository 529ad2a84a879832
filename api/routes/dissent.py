"""Different views 不同意见 and their explanation: for the person and for who explains, never a
list in public."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from api.dependencies import CurrentActor, Db
from api.idempotency import Once
from api.pagination import CursorParam, Limit, Page, read_time_cursor, time_cursor
from api.routes.feedback import NoticeOut
from api.wire import WireIn, WireOut
from consultation.oversight import queries, rules
from consultation.oversight.commands import dissent
from consultation.oversight.queries import DissentView
from consultation.oversight.rules import DissentState, ExplanationChannel, Reply
from consultation.oversight.tables import DissentRecord
from consultation.topics.states import State

router = APIRouter(prefix="/v1", tags=["dissent"])


class DissentIn(WireIn):
    """``person_id`` and ``step`` are for clerk, host and grid worker, who write down what somebody
    said at a meeting or at the door."""

    view: str = Field(min_length=1, max_length=4000)
    person_id: UUID | None = None
    step: State | None = None


class DissentOut(WireOut):
    """``due_at``: until when it must be explained, null while no deadline runs."""

    id: UUID
    topic_id: UUID
    round: int
    step: State
    view: str
    state: DissentState
    due_at: datetime | None
    rejoinder: str | None
    at: datetime


class ExplanationOut(WireOut):
    """``reached`` false: a documented attempt. ``reply`` is the dissenter's own word on it."""

    id: UUID
    number: int
    channel: ExplanationChannel
    reached: bool
    text: str
    at: datetime
    reply: Reply | None
    replied_at: datetime | None


class OwnDissentOut(DissentOut):
    topic_title: str
    explanations: list[ExplanationOut]


class OpenDissentOut(OwnDissentOut):
    """For who must explain: to whom, and who was named to do it."""

    person_id: UUID
    masked_name: str
    assigned_to_id: UUID | None


class AssignmentIn(WireIn):
    person_id: UUID


class ExplanationIn(WireIn):
    """``reached`` false documents an attempt: say in ``text`` when and how it was tried."""

    channel: ExplanationChannel
    text: str = Field(min_length=10, max_length=8000)
    reached: bool = True


class ExplanationReplyIn(WireIn):
    reply: Reply


class RejoinderIn(WireIn):
    text: str = Field(min_length=1, max_length=4000)


class GeneralExplanationIn(WireIn):
    body: str = Field(min_length=1, max_length=8000)


def _own_out(view: DissentView) -> OwnDissentOut:
    return OwnDissentOut(
        **DissentOut.model_validate(view.record).model_dump(),
        topic_title=view.topic_title,
        explanations=[ExplanationOut.model_validate(row) for row in view.explanations],
    )


def _open_out(view: DissentView) -> OpenDissentOut:
    return OpenDissentOut(
        **_own_out(view).model_dump(),
        person_id=view.record.person_id,
        masked_name=view.masked_name,
        assigned_to_id=view.record.assigned_to_id,
    )


def _cursor(found: list[DissentView], limit: int) -> str | None:
    if len(found) <= limit:
        return None
    last: DissentRecord = found[limit - 1].record
    return time_cursor(last.at, last.id)


@router.post("/topics/{topic_id}/dissent", status_code=201)
async def record_dissent(topic_id: UUID, body: DissentIn, once: Once) -> DissentOut:
    """Put a different view on record; it is never changed, and it will be explained to."""
    async with once.begin() as tx:
        record = await dissent.record_dissent(
            tx, topic_id, view=body.view, person_id=body.person_id, step=body.step
        )
        return once.keep(DissentOut.model_validate(record))


@router.get("/me/dissent")
async def list_my_dissent(
    db: Db, actor: CurrentActor, limit: Limit = 20, cursor: CursorParam = None
) -> Page[OwnDissentOut]:
    """One's own different views with what was explained, newest first."""
    async with db.read(actor) as tx:
        before = read_time_cursor(cursor)
        found = await queries.own_dissent(tx, before=before, limit=limit + 1)
    return Page(items=[_own_out(view) for view in found[:limit]], next_cursor=_cursor(found, limit))


@router.get("/topics/{topic_id}/dissent")
async def list_open_dissent(
    topic_id: UUID, db: Db, actor: CurrentActor, limit: Limit = 20, cursor: CursorParam = None
) -> Page[OpenDissentOut]:
    """For who must explain: the records of a topic that wait, or could not be reached, or were
    explained without a reply yet; oldest first."""
    async with db.read(actor) as tx:
        topic = await queries.access_dissent_of_topic(tx, topic_id)
        found = await queries.dissent_to_explain(
            tx, topic, states=rules.WITHOUT_REPLY, after=read_time_cursor(cursor), limit=limit + 1
        )
    return Page(
        items=[_open_out(view) for view in found[:limit]], next_cursor=_cursor(found, limit)
    )


@router.put("/dissent/{dissent_id}/assignment")
async def assign_dissent(
    dissent_id: UUID, body: AssignmentIn, db: Db, actor: CurrentActor
) -> DissentOut:
    """Name who explains."""
    async with db.begin(actor) as tx:
        record = await dissent.assign_dissent(tx, dissent_id, to_person_id=body.person_id)
        return DissentOut.model_validate(record)


@router.post("/dissent/{dissent_id}/explanations", status_code=201)
async def explain_dissent(dissent_id: UUID, body: ExplanationIn, once: Once) -> ExplanationOut:
    """Explain how the view was dealt with, or document an attempt to."""
    async with once.begin() as tx:
        explanation = await dissent.explain_dissent(
            tx, dissent_id, channel=body.channel, text=body.text, reached=body.reached
        )
        return once.keep(ExplanationOut.model_validate(explanation))


@router.put("/dissent/{dissent_id}/reply")
async def answer_explanation(
    dissent_id: UUID, body: ExplanationReplyIn, db: Db, actor: CurrentActor
) -> ExplanationOut:
    """Understood, maintained, or talk again. To maintain one's view is a good answer."""
    async with db.begin(actor) as tx:
        explanation = await dissent.answer_explanation(tx, dissent_id, reply=body.reply)
        return ExplanationOut.model_validate(explanation)


@router.put("/dissent/{dissent_id}/rejoinder")
async def add_rejoinder(
    dissent_id: UUID, body: RejoinderIn, db: Db, actor: CurrentActor
) -> DissentOut:
    """The last word to what was explained, once; it stays beside the view."""
    async with db.begin(actor) as tx:
        return DissentOut.model_validate(
            await dissent.add_rejoinder(tx, dissent_id, text=body.text)
        )


@router.post("/topics/{topic_id}/general-explanation", status_code=201)
async def publish_general_explanation(
    topic_id: UUID, body: GeneralExplanationIn, once: Once
) -> NoticeOut:
    """What everybody may read about how different views were dealt with; it names nobody."""
    async with once.begin() as tx:
        document = await dissent.publish_general_explanation(tx, topic_id, body=body.body)
        return once.keep(NoticeOut.model_validate(document))
