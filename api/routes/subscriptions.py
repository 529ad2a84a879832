"""Which messages a person may be sent in WeChat: asked for in a tap, counted here."""

from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path
from pydantic import Field

from api import sessions
from api.dependencies import App, CurrentActor, SessionId
from api.routes.session import never_stored
from api.wire import WireIn, WireOut
from notifications.wechat import ledger
from notifications.wechat.ledger import Accept
from notifications.wechat.tables import AccountKind
from notifications.wechat.templates import TemplateKind

router = APIRouter(prefix="/v1/me", tags=["me"], dependencies=[Depends(never_stored)])

Answer = Literal["accept", "reject", "ban", "filter", "acceptWithAudio", "acceptWithForcePush"]


class PromptTemplateOut(WireOut):
    """``credits``: messages of this template that may still be sent to this account."""

    name: str
    template_id: str
    credits: int


class SubscriptionPromptOut(WireOut):
    """Give these ``template_id``s to wx.requestSubscribeMessage in the next tap, all in one call;
    they are of one kind. None: do not ask."""

    kind: TemplateKind | None
    templates: list[PromptTemplateOut]


class SubscriptionAnswersIn(WireIn):
    """What wx.requestSubscribeMessage answered, by template id."""

    answers: dict[str, Answer] = Field(min_length=1, max_length=5)


@router.get("/subscription-prompt")
async def get_subscription_prompt(
    app: App, actor: CurrentActor, session: SessionId
) -> SubscriptionPromptOut:
    """What to ask for before the next tap, so that nothing stands between the tap and the call."""
    async with app.db.read(actor) as tx:
        _, account = await sessions.access_session(tx, session)
        credits = await ledger.balances(tx, account.id)
    templates = list(app.wechat.templates.values())
    if account.kind is not AccountKind.MINI_PROGRAM:
        templates = []  # a browser has no such popup
    limits = app.wechat.limits
    chosen = ledger.to_ask(
        templates, credits, wanted=limits.credits_wanted, most=limits.prompt_templates
    )
    return SubscriptionPromptOut(
        kind=chosen[0].kind if chosen else None,
        templates=[
            PromptTemplateOut(
                name=spec.name,
                template_id=spec.template_id,
                credits=credits.get(spec.template_id, 0),
            )
            for spec in chosen
        ],
    )


@router.put("/subscription-accepts/{accept_key}", status_code=204)
async def report_subscription_answers(
    accept_key: Annotated[str, Path(min_length=8, max_length=80)],
    body: SubscriptionAnswersIn,
    app: App,
    actor: CurrentActor,
    session: SessionId,
) -> None:
    """Report the answers to one popup; ``accept_key`` is new for each popup and the same on a
    retry. WeChat tells us too: one accept is one credit, however it is told."""
    window = timedelta(hours=app.wechat.limits.accept_window_hours)
    async with app.db.begin(actor) as tx:
        _, account = await sessions.access_session(tx, session)
        for spec in app.wechat.templates.values():
            if body.answers.get(spec.template_id, "").startswith("accept"):
                accept = Accept(tx.now, client_key=f"{accept_key}:{spec.template_id}")
                await ledger.add_accept(tx, account.id, spec, accept, window=window)
