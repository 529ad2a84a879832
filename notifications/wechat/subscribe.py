"""Subscription messages 订阅消息: the port by which a delivery becomes a message on a phone.

    outcome = await send_subscription(db, wechat, person_id=…, template="poll_opened",
                                      facts={"title": …, "closes_at": …}, page="pages/poll?id=…",
                                      delivery_key="…")

``template`` is the name of one in the settings (``MINYI_WECHAT_TEMPLATES``), which also say which
fact fills which key; facts are text, numbers, dates, or times with a zone. What came of it is a
``SendOutcome``; nothing is raised for anything that WeChat may answer. The call must not stand
inside a transaction: it takes the credit in one, speaks to WeChat, and notes the answer in another.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from consultation.database import Database, Transaction
from consultation.permissions import SYSTEM
from notifications.wechat import ledger
from notifications.wechat.client import Wechat
from notifications.wechat.errors import (
    CodeInvalid,
    Faulty,
    NoSubscription,
    NotReached,
    Unavailable,
    WechatError,
    failed,
    log,
)
from notifications.wechat.tables import (
    SendState,
    SubscriptionReceipt,
    SubscriptionSend,
    WechatAccount,
)
from notifications.wechat.templates import Fact, TemplateKind, TemplateSpec, Unfit, fill

SEND = "/cgi-bin/message/subscribe/send"
TEMPLATES = "/wxaapi/newtmpl/gettemplate"
IN_HAND = timedelta(minutes=2)
"""So long another process may still be waiting for WeChat's answer to the same delivery."""

SETTLES = timedelta(minutes=5)
"""So long after a try of which nobody knows what became, "nothing left" may mean that it took the
last credit: the receipt will tell."""


class SendOutcome(StrEnum):
    SENT = "sent"
    """WeChat took it. Whether it reached the phone comes later, as a receipt."""
    NO_CREDIT = "no_credit"
    """By our ledger the person has accepted no message of this template that is left."""
    REFUSED = "refused"
    """WeChat says that the person refused or used up what we counted, and the ledger is empty now;
    or that it did not deliver a message which it had taken (its receipt)."""
    NOT_REACHABLE = "not_reachable"
    """No account in the mini-program, or this template is not set up here."""
    RETRY_LATER = "retry_later"
    """WeChat is down, busy or out of quota. With the same ``delivery_key`` a later try costs no
    second credit, and none at all if the first one turns out to have gone through."""
    FAULTY = "faulty"
    """The template, the page or a fact is wrong: ours to mend, a retry does not help."""


@dataclass(frozen=True, slots=True)
class _Claim:
    """``unsure_at``: the last of earlier tries that WeChat may have taken, if there was one."""

    account: WechatAccount
    send_id: UUID
    unsure_at: datetime | None = None


async def send_subscription(
    db: Database,
    wechat: Wechat,
    *,
    person_id: UUID,
    template: str,
    facts: Mapping[str, Fact],
    page: str,
    delivery_key: str | None = None,
) -> SendOutcome:
    """Send one message to one person. ``delivery_key`` (at most 160 characters, the caller's own
    for this debt) makes a repeated call find the first one."""
    spec = wechat.templates.get(template)
    if spec is None:
        return SendOutcome.NOT_REACHABLE
    try:
        data = fill(spec, facts)
    except Unfit:
        log.error("subscription facts do not fit", code=template)
        return SendOutcome.FAULTY
    async with db.begin(SYSTEM) as tx:
        claim = await _claim(tx, wechat, spec, person_id, delivery_key)
    if isinstance(claim, SendOutcome):
        return claim
    msg_id, error = None, None
    try:
        msg_id = await send(wechat, spec, openid=claim.account.openid, page=page, data=data)
    except WechatError as refused:
        error = refused
    async with db.begin(SYSTEM) as tx:
        return await _note(tx, spec, claim, msg_id, error)


async def _claim(
    tx: Transaction, wechat: Wechat, spec: TemplateSpec, person_id: UUID, key: str | None
) -> _Claim | SendOutcome:
    """Take a credit for a message, or find what became of an earlier try."""
    accounts = await ledger.accounts_with_credits(tx, person_id, wechat.app_id, spec.template_id)
    if not accounts:
        return SendOutcome.NOT_REACHABLE
    earlier = None if key is None else await _earlier(tx, [one.id for one, _ in accounts], key)
    if earlier is None:
        account = accounts[0][0]
    else:
        account = next(one for one, _ in accounts if one.id == earlier.account_id)
        if earlier.state is SendState.SENT:
            return SendOutcome.SENT
        if earlier.state is SendState.NOT_SENT and earlier.msg_id is not None:
            return SendOutcome.REFUSED
        if earlier.state is SendState.SENDING and tx.now < earlier.at + IN_HAND:
            return SendOutcome.RETRY_LATER
        if earlier.spent:  # it may have gone out
            receipt = await ledger.receipt_for(tx, earlier)
            if receipt is not None:
                return _by_receipt(earlier, receipt)
            claim = _Claim(account, earlier.id, unsure_at=earlier.at)
            earlier.unsure_since = earlier.unsure_since or earlier.at
            earlier.state, earlier.at = SendState.SENDING, tx.now
            return claim
    if (await ledger.settle(tx, account.id, spec)).credits < 1:
        return SendOutcome.NO_CREDIT
    if earlier is not None:
        earlier.state, earlier.spent, earlier.at = SendState.SENDING, True, tx.now
        earlier.errcode = None
    row = earlier or SubscriptionSend(
        id=tx.new_id(),
        account_id=account.id,
        template_id=spec.template_id,
        delivery_key=key,
        state=SendState.SENDING,
        at=tx.now,
    )
    tx.session.add(row)
    await ledger.settle(tx, account.id, spec)
    return _Claim(account, row.id)


def _by_receipt(row: SubscriptionSend, receipt: SubscriptionReceipt) -> SendOutcome:
    """What WeChat's own word makes of a message."""
    row.msg_id = receipt.msg_id
    if receipt.errcode == 0:
        row.state = SendState.SENT
        return SendOutcome.SENT
    log.warning("subscription message undelivered", errcode=receipt.errcode)
    row.state, row.errcode = SendState.NOT_SENT, receipt.errcode
    return SendOutcome.REFUSED


async def _earlier(tx: Transaction, account_ids: list[UUID], key: str) -> SubscriptionSend | None:
    found = await tx.session.exec(
        select(SubscriptionSend)
        .where(
            col(SubscriptionSend.account_id).in_(account_ids), SubscriptionSend.delivery_key == key
        )
        .with_for_update()
    )
    return found.first()


async def _note(
    tx: Transaction,
    spec: TemplateSpec,
    claim: _Claim,
    msg_id: str | None,
    error: WechatError | None,
) -> SendOutcome:
    """Write down what WeChat answered; a message that surely did not go out costs no credit."""
    await ledger.receipts_wait(tx, claim.account.id)
    row = await tx.session.get(SubscriptionSend, claim.send_id, with_for_update=True)
    if row is None:  # the account was erased meanwhile
        return SendOutcome.NOT_REACHABLE if error else SendOutcome.SENT
    outcome = SendOutcome.RETRY_LATER
    row.errcode = None if error is None else error.errcode
    match error:
        case None:
            row.state, row.msg_id = SendState.SENT, msg_id
            receipt = msg_id and await tx.session.get(SubscriptionReceipt, msg_id)
            return _by_receipt(row, receipt) if receipt else SendOutcome.SENT
        case Unavailable(errcode=None, endpoint=endpoint) if endpoint == SEND and not isinstance(
            error, NotReached
        ):  # the rest failed for want of a token, before anything was sent
            row.state = SendState.UNSURE
            return outcome
        case NoSubscription():
            outcome = SendOutcome.REFUSED
            if claim.unsure_at is not None and tx.now < claim.unsure_at + SETTLES:
                outcome = SendOutcome.RETRY_LATER
        case CodeInvalid():
            outcome = SendOutcome.NOT_REACHABLE
        case Faulty():
            log.error("subscription message faulty", errcode=error.errcode, code=spec.name)
            outcome = SendOutcome.FAULTY
    if claim.unsure_at is None:
        row.state, row.spent = SendState.NOT_SENT, False
    else:  # this try surely did not go out; an earlier one may have
        row.state, row.at = SendState.UNSURE, claim.unsure_at
    if isinstance(error, NoSubscription):
        await ledger.empty(tx, claim.account.id, spec, at=tx.now)
    else:
        await ledger.settle(tx, claim.account.id, spec)
    return outcome


# ---- WeChat's two interfaces --------------------------------------------------------------


async def send(
    wechat: Wechat,
    spec: TemplateSpec,
    *,
    openid: str,
    page: str,
    data: Mapping[str, Mapping[str, str]],
) -> str | None:
    """Ask WeChat to send; its message id if it tells one. NoSubscription, CodeInvalid (nobody has
    this openid), Faulty, TooOften, Overused, Unavailable."""
    answer = await wechat.ask_with_token(
        SEND,
        body={
            "touser": openid,
            "template_id": spec.template_id,
            "page": page,
            "data": data,
            "miniprogram_state": wechat.limits.miniprogram_state,
            "lang": "zh_CN",
        },
    )
    msg_id = answer.get("msgid")
    return None if msg_id in (None, "") else str(msg_id)


KINDS: Mapping[TemplateKind, int] = {TemplateKind.ONCE: 2, TemplateKind.LONG_TERM: 3}
_KEY = re.compile(r"\{\{(\w+)\.DATA\}\}")


async def wrong_templates(wechat: Wechat) -> list[str]:
    """Names of configured templates that the app has not, or with other keys or of another kind.
    Unavailable when WeChat does not say."""
    answer = await wechat.ask_with_token(TEMPLATES)
    listed: Any = answer.get("data")
    if not isinstance(listed, list):
        raise failed(TEMPLATES, answer)
    known = {one.get("priTmplId"): one for one in listed if isinstance(one, dict)}
    wrong: list[str] = []
    for spec in wechat.templates.values():
        found = known.get(spec.template_id)
        if (
            found is None
            or set(_KEY.findall(str(found.get("content")))) != set(spec.values)
            or found.get("type") != KINDS[spec.kind]
        ):
            wrong.append(spec.name)
    return wrong


async def report_templates(wechat: Wechat) -> None:
    """At start-up: say in the log which configured templates would not work. Nothing is refused
    for it: other messages still go out, and WeChat may be down just now."""
    try:
        for name in await wrong_templates(wechat):
            log.error("subscription template wrong", code=name)
    except WechatError as error:
        log.warning("subscription templates unchecked", errcode=error.errcode)
