"""What WeChat pushes to us: kept before it is understood, then acted upon, once.

A push is refused unless it is signed, fresh and encrypted (``notifications/wechat/crypto.py``).
It is kept under the hash of its text, so that a resent one changes nothing, and each event acts on
rows in such a way that their order does not matter.
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import delete
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlmodel import col

from api import accounts
from api.errands import Means
from api.logs import log
from api.media_checks import note_media_verdict
from api.settings import Settings
from consultation import jobs
from consultation.community.commands import erasure
from consultation.database import Database, Transaction
from consultation.deliberation.commands.erasure import forget_author
from consultation.jobs import JobKind
from consultation.permissions import SYSTEM
from consultation.polls.commands.retracting import retract_proof
from consultation.refusals import NotFound, NotPermitted
from notifications.chains import take_back
from notifications.wechat import content, crypto, ledger, pushes
from notifications.wechat.crypto import NotGenuine, PushKeys
from notifications.wechat.ledger import Accept, account_of_openid
from notifications.wechat.pushes import Event, Unreadable
from notifications.wechat.tables import CheckState, Push, PushNonce, SubscriptionReceipt
from notifications.wechat.templates import TemplateSpec

LONGEST_NONCE = 64


class PushNotGenuine(NotPermitted):
    """Not signed by WeChat, stale, or not as WeChat sends it here. Not said which."""

    code = "push-not-genuine"


def keys_of(settings: Settings) -> PushKeys:
    """NotFound where no pushes are expected."""
    token, key = settings.wechat_push_token, settings.wechat_push_key
    if not token.get_secret_value():
        raise NotFound(what="push")
    return PushKeys(settings.wechat_app_id, token.get_secret_value(), key.get_secret_value())


def check_address(settings: Settings, query: Mapping[str, str], now: datetime) -> str:
    """What the console wants to hear when somebody enters our address there."""
    fresh = timedelta(seconds=settings.wechat_push_fresh_seconds)
    try:
        return crypto.check_address(keys_of(settings), query, now=now, fresh=fresh)
    except NotGenuine as error:
        log.warning("push refused", code=str(error))
        raise PushNotGenuine() from None


async def receive(db: Database, settings: Settings, query: Mapping[str, str], body: bytes) -> None:
    """Keep a push and have it acted upon. Kept already: nothing happens."""
    fresh = timedelta(seconds=settings.wechat_push_fresh_seconds)
    try:
        text = crypto.open_push(
            keys_of(settings),
            query,
            body,
            now=db.clock(),
            fresh=fresh,
            encrypted=settings.wechat_push_mode == "secure",
        )
        nonce = query.get("nonce", "")
        if not nonce or len(nonce) > LONGEST_NONCE:
            raise NotGenuine("no nonce")
        event = pushes.event_of(text)
        async with db.begin(SYSTEM) as tx:
            await _keep(tx, event, text, f"{int(query['timestamp'])}:{nonce}", fresh)
    except NotGenuine as error:
        log.warning("push refused", code=str(error))
        raise PushNotGenuine() from None
    except Unreadable:
        log.error("push unreadable")  # signed by WeChat, and still no use: sending it again helps
        raise PushNotGenuine() from None  # nobody


async def _keep(tx: Transaction, event: Event, text: bytes, stamp: str, fresh: timedelta) -> None:
    insert = sqlite_insert if tx.session.get_bind().dialect.name == "sqlite" else pg_insert
    digest = hashlib.sha256(text).hexdigest()
    await tx.session.exec(delete(PushNonce).where(col(PushNonce.at) < tx.now - 3 * fresh))
    new = await tx.session.exec(
        insert(PushNonce)
        .values(stamp=stamp, body_hash=digest, at=tx.now)
        .on_conflict_do_nothing(index_elements=["stamp"])
    )
    if not new.rowcount:
        seen = await tx.session.get(PushNonce, stamp)
        if seen is None or seen.body_hash != digest:
            raise NotGenuine("nonce used for something else")
    push_id = tx.new_id()
    kept = await tx.session.exec(
        insert(Push)
        .values(
            id=push_id,
            body_hash=digest,
            event=event.name[:60],
            body_sealed=tx.vault.seal(push_id, text.decode("utf-8", "replace")),
            received_at=tx.now,
        )
        .on_conflict_do_nothing(index_elements=["body_hash"])
    )
    if kept.rowcount:
        await jobs.schedule(tx, JobKind.WECHAT_PUSH, push_id, tx.now, community_id=None)


# ---- acting upon it -----------------------------------------------------------------------


async def act_on_push(means: Means, push_id: UUID) -> None:
    """The errand. The text, which names a user, goes once it has been acted upon."""
    async with means.db.begin(SYSTEM) as tx:
        push = await tx.session.get(Push, push_id, with_for_update=True)
        if push is None or push.processed_at is not None or push.body_sealed is None:
            return
        event = pushes.event_of(tx.vault.open(push.id, push.body_sealed).encode())
        act = EVENTS.get(event.name)
        push.outcome = "unknown" if act is None else await act(tx, means, event, push)
        push.processed_at, push.body_sealed = tx.now, None
        if push.outcome in ("unknown", "odd"):
            log.warning("push not understood", code=event.name[:60])


async def _popup(tx: Transaction, means: Means, event: Event, push: Push) -> str:
    """The user answered the popup: one credit for each accept, unless the client told it."""
    account = await account_of_openid(tx, means.wechat.app_id, event.openid)
    if account is None:
        return "nobody"
    window = timedelta(hours=means.wechat.limits.accept_window_hours)
    for place, item in enumerate(event.items()):
        spec = _spec(means, pushes.text(item, "TemplateId"))
        if spec is not None and pushes.text(item, "SubscribeStatusString") == "accept":
            accept = Accept(event.at or push.received_at, event_key=f"{push.body_hash}:{place}")
            await ledger.add_accept(tx, account.id, spec, accept, window=window)
    return "done"


async def _change(tx: Transaction, means: Means, event: Event, push: Push) -> str:
    """The user refused in the settings: nothing is left of what was accepted until then."""
    account = await account_of_openid(tx, means.wechat.app_id, event.openid)
    if account is None:
        return "nobody"
    for item in event.items():
        spec = _spec(means, pushes.text(item, "TemplateId"))
        if spec is not None and pushes.text(item, "SubscribeStatusString") == "reject":
            await ledger.empty(tx, account.id, spec, at=event.at or push.received_at)
    return "done"


async def _sent(tx: Transaction, means: Means, event: Event, push: Push) -> str:
    """What became of messages; kept by message id, whichever comes first. One that did not arrive
    proves nothing, and the person is told in the next way."""
    account = await account_of_openid(tx, means.wechat.app_id, event.openid)
    if account is None:
        return "nobody"
    for item in event.items():
        msg_id, errcode = pushes.text(item, "MsgID"), pushes.number(item, "ErrorCode")
        if not msg_id or len(msg_id) > 64 or errcode is None:
            continue
        told = SubscriptionReceipt(
            msg_id=msg_id,
            account_id=account.id,
            template_id=pushes.text(item, "TemplateId")[:64],
            errcode=errcode,
            status=pushes.text(item, "ErrorStatus")[:40],
            at=event.at or push.received_at,
        )
        undelivered = await ledger.note_receipt(tx, told)
        if undelivered is None:
            continue
        log.warning("subscription message undelivered", errcode=undelivered.errcode)
        if undelivered.delivery_key is not None:
            await take_back(
                tx,
                undelivered.delivery_key,
                reason=f"receipt_{undelivered.errcode}",
                retract=retract_proof,
            )
    return "done"


async def _media(tx: Transaction, means: Means, event: Event, push: Push) -> str:
    """A verdict on a medium, in the shape of either version of the interface."""
    trace_id = pushes.text(event.data, "trace_id")
    if not trace_id or len(trace_id) > 80:
        return "odd"
    errcode = pushes.number(event.data, "errcode") or 0
    suggestion, label = content.verdict_in(event.data)
    if suggestion is None and event.data.get("isrisky") is not None:
        status = pushes.number(event.data, "status_code") or 0
        risky = pushes.number(event.data, "isrisky") == 1
        if status == 0:
            suggestion = content.Suggestion.RISKY if risky else content.Suggestion.PASS
        errcode = errcode or status
    state = CheckState.ERROR
    if errcode == 0 and suggestion is not None:
        state = CheckState(suggestion.value)
    await note_media_verdict(tx, trace_id, state=state, label=label, errcode=errcode)
    return "done"


WHOLE_SECOND = timedelta(seconds=1)
"""WeChat's times are cut to seconds."""
PHONE, EVERYTHING = "8", "301"


async def _revoke(tx: Transaction, means: Means, event: Event, push: Push) -> str:
    """The user took a permission back. Of what can be revoked we keep only the phone."""
    account = await account_of_openid(tx, means.wechat.app_id, event.openid)
    if account is None:
        return "nobody"
    revoked = {one.strip() for one in pushes.text(event.data, "RevokeInfo").split(",")}
    if revoked & {PHONE, EVERYTHING}:
        at = None if event.at is None else event.at + WHOLE_SECOND
        gone = await erasure.forget_phone(tx, account.person_id, at=at)
        return "done" if gone else "before this phone"  # a late event; it was bound again since
    return "nothing kept" if revoked <= KNOWN_REVOCATIONS else "odd"


KNOWN_REVOCATIONS = frozenset(
    map(str, (1, 2, 3, 4, 5, 6, 7, 12, 13, 14, 15, 16, 18, 19, 20, *range(201, 208)))
)
"""Plates, addresses, invoices, sensors, albums, …: things we never ask for. Unknown numbers occur
before they are documented; the log tells of them."""


async def _cancellation(tx: Transaction, means: Means, event: Event, push: Push) -> str:
    """The user closed the account: sessions end, openids and names go, votes and words stay."""
    account = await account_of_openid(tx, means.wechat.app_id, event.openid)
    if account is None:
        return "nobody"
    if event.at is not None and event.at + WHOLE_SECOND < account.created_at:
        return "before this account"  # a late event; the user has come back since
    person_id = account.person_id
    await accounts.remove_all(tx, person_id)
    await erasure.forget_person(tx, person_id)
    await forget_author(tx, person_id)
    return "done"


async def _nothing(tx: Transaction, means: Means, event: Event, push: Push) -> str:
    """Nicknames and avatars are not kept here, and a demonstration is one."""
    return "nothing kept"


def _spec(means: Means, template_id: str) -> TemplateSpec | None:
    templates = means.wechat.templates.values()
    return next((spec for spec in templates if spec.template_id == template_id), None)


EVENTS: Mapping[str, Callable[[Transaction, Means, Event, Push], Awaitable[str]]] = {
    "subscribe_msg_popup_event": _popup,
    "subscribe_msg_change_event": _change,
    "subscribe_msg_sent_event": _sent,
    "wxa_media_check": _media,
    "user_info_modified": _nothing,
    "user_authorization_revoke": _revoke,
    "user_authorization_cancellation": _cancellation,
    "debug_demo": _nothing,
}
