"""Co-signing 附议, following 关注 and withdrawing 撤回."""

from uuid import UUID

from fastapi import APIRouter

from api.dependencies import CurrentActor, Db, Locale
from api.idempotency import Once
from api.routes.topic_shapes import MaybeReasonIn, StandingOut, StepOut, standing_out, step_out
from consultation.topics.commands import cosigning, withdrawing

router = APIRouter(prefix="/v1", tags=["topics"])


@router.put("/topics/{topic_id}/cosignature")
async def cosign_topic(topic_id: UUID, actor: CurrentActor, db: Db, locale: Locale) -> StandingOut:
    """Stand behind somebody else's topic."""
    async with db.begin(actor) as tx:
        return standing_out(await cosigning.cosign_topic(tx, topic_id), locale)


@router.delete("/topics/{topic_id}/cosignature")
async def undo_cosign(topic_id: UUID, actor: CurrentActor, db: Db, locale: Locale) -> StandingOut:
    """Take the own co-signature back."""
    async with db.begin(actor) as tx:
        return standing_out(await cosigning.undo_cosign(tx, topic_id), locale)


@router.put("/topics/{topic_id}/following")
async def follow_topic(topic_id: UUID, actor: CurrentActor, db: Db, locale: Locale) -> StandingOut:
    """Hear how the topic goes on."""
    async with db.begin(actor) as tx:
        return standing_out(await cosigning.follow_topic(tx, topic_id), locale)


@router.delete("/topics/{topic_id}/following")
async def unfollow_topic(
    topic_id: UUID, actor: CurrentActor, db: Db, locale: Locale
) -> StandingOut:
    """Hear no more of it."""
    async with db.begin(actor) as tx:
        return standing_out(await cosigning.unfollow_topic(tx, topic_id), locale)


@router.post("/topics/{topic_id}/withdrawal")
async def withdraw_topic(
    topic_id: UUID, body: MaybeReasonIn, once: Once, locale: Locale
) -> StepOut:
    """The author withdraws freely before the topic is accepted."""
    async with once.begin() as tx:
        step = await withdrawing.withdraw_topic(tx, topic_id, reason=body.reason)
        return once.keep(step_out(step, locale))


@router.post("/topics/{topic_id}/withdrawal-request")
async def ask_withdrawal(topic_id: UUID, once: Once, locale: Locale) -> StandingOut:
    """After acceptance the author asks; co-signers have 5 days to take the topic over."""
    async with once.begin() as tx:
        return once.keep(standing_out(await withdrawing.ask_withdrawal(tx, topic_id), locale))


@router.post("/topics/{topic_id}/takeover")
async def take_over_topic(topic_id: UUID, once: Once, locale: Locale) -> StandingOut:
    """A co-signer becomes the author of a topic that its author wants to withdraw."""
    async with once.begin() as tx:
        return once.keep(standing_out(await withdrawing.take_over_topic(tx, topic_id), locale))


@router.post("/topics/{topic_id}/withdrawal-agreement")
async def agree_withdrawal(
    topic_id: UUID, body: MaybeReasonIn, once: Once, locale: Locale
) -> StepOut:
    """The convener agrees when nobody took the topic over in 5 days."""
    async with once.begin() as tx:
        step = await withdrawing.agree_withdrawal(tx, topic_id, reason=body.reason)
        return once.keep(step_out(step, locale))
