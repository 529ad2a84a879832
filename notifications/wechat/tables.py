"""What we keep of WeChat: accounts, credits and messages of subscriptions, what it pushed to us,
checks of content that wait, codes and links."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Index, LargeBinary, UniqueConstraint, Uuid
from sqlmodel import Field

from consultation.columns import (
    Row,
    UtcDateTime,
    choice,
    flag,
    key,
    maybe_ref,
    maybe_when,
    ref,
    sealed,
    value,
    when,
)


class AccountKind(StrEnum):
    MINI_PROGRAM = "mini_program"
    H5 = "h5"  # the service account's, in the browser inside WeChat
    PHONE = "phone"  # no WeChat: a browser whose user read a code on their phone


class WechatAccount(Row, table=True):
    """An openid of one app. Several may belong to one person; votes never key on openid.

    ``session_key`` is sealed under the account's id; WeChat keeps only the latest one valid, and
    a browser login has none."""

    __table_args__ = (UniqueConstraint("app_id", "openid"),)

    id: UUID = key()
    app_id: str = Field(max_length=40)
    openid: str = Field(max_length=64)
    unionid: str | None = Field(default=None, max_length=64, index=True)
    kind: AccountKind = choice(AccountKind)
    person_id: UUID = ref("person.id")
    session_key_sealed: bytes | None = sealed()
    created_at: datetime = when()
    last_login_at: datetime = when()


# ---- subscription messages ----------------------------------------------------------------


class SubscriptionCredit(Row, table=True):
    """How many messages of a template an account may still be sent. Nobody can ask WeChat, so
    that this is our own count: accepts minus sends since ``emptied_at``, when WeChat last said
    that there is nothing left."""

    account_id: UUID = ref("wechat_account.id", primary_key=True)
    template_id: str = Field(primary_key=True, max_length=64)
    credits: int = 0
    emptied_at: datetime | None = maybe_when()


class SubscriptionAccept(Row, table=True):
    """One tap on "allow". The client reports it and WeChat pushes it: whichever comes first makes
    the row, the other one is noted on it, so that one accept is one credit."""

    __table_args__ = (
        UniqueConstraint("account_id", "client_key"),
        Index("ix_subscription_accept_account_template", "account_id", "template_id", "at"),
    )

    id: UUID = key()
    account_id: UUID = ref("wechat_account.id", index=False)
    template_id: str = Field(max_length=64)
    at: datetime = when()
    client_key: str | None = Field(default=None, max_length=160)
    event_key: str | None = Field(default=None, max_length=80, unique=True)  # push and position


class SendState(StrEnum):
    SENDING = "sending"  # asked for; if it stays so, the process died on the way
    SENT = "sent"
    UNSURE = "unsure"  # no intelligible answer: it may have gone out
    NOT_SENT = "not_sent"  # refused; with a ``msg_id``, taken by WeChat and not delivered


class SubscriptionSend(Row, table=True):
    """One message to one account. The credit is taken in the transaction that makes the row;
    ``spent`` says whether it is still taken. ``delivery_key`` is the caller's. ``at`` is the last
    try that WeChat may have taken; ``unsure_since`` the first one, if nobody knows what became of
    it and there was another after it."""

    __table_args__ = (
        UniqueConstraint("account_id", "delivery_key"),
        Index("ix_subscription_send_account_template", "account_id", "template_id", "at"),
    )

    id: UUID = key()
    account_id: UUID = ref("wechat_account.id", index=False)
    template_id: str = Field(max_length=64)
    delivery_key: str | None = Field(default=None, max_length=160)
    state: SendState = choice(SendState)
    spent: bool = flag(default=True)
    errcode: int | None = None
    msg_id: str | None = Field(default=None, max_length=64, index=True)
    at: datetime = when()
    unsure_since: datetime | None = maybe_when()


class SubscriptionReceipt(Row, table=True):
    """WeChat's word on a message after it was sent (``subscribe_msg_sent_event``); it may come
    before the answer to the request is stored, and is joined by ``msg_id``."""

    msg_id: str = Field(primary_key=True, max_length=64)
    account_id: UUID = ref("wechat_account.id")
    template_id: str = Field(max_length=64)
    errcode: int
    status: str = Field(max_length=40)
    at: datetime = when()


# ---- what WeChat pushes -------------------------------------------------------------------


class Push(Row, table=True):
    """A message that WeChat pushed, kept before it is processed. ``body_hash`` is SHA-256 of the
    decrypted text: the same one again changes nothing. The text names a user and is sealed; it is
    removed once processed."""

    id: UUID = key()
    body_hash: str = Field(max_length=64, unique=True)
    event: str = Field(max_length=60)
    body_sealed: bytes | None = sealed()
    received_at: datetime = when()
    processed_at: datetime | None = maybe_when()
    outcome: str | None = Field(default=None, max_length=40)


class PushNonce(Row, table=True):
    """A signed query string seen of late, and for which body. Another body under it is refused."""

    stamp: str = Field(primary_key=True, max_length=100)  # timestamp and nonce
    body_hash: str = Field(max_length=64)
    at: datetime = Field(sa_type=UtcDateTime, nullable=False, index=True)


# ---- content checks -----------------------------------------------------------------------


class CheckState(StrEnum):
    PENDING = "pending"
    PASS = "pass"  # noqa: S105  not a password
    REVIEW = "review"
    RISKY = "risky"
    ERROR = "error"  # there will be no verdict


class ContentCheck(Row, table=True):
    """One version of a text that WeChat is to check. ``subject_kind`` and ``subject_id`` say what
    it is; ``person_id`` who typed it, under whose openid it is checked."""

    __table_args__ = (UniqueConstraint("subject_kind", "subject_id", "version"),)

    id: UUID = key()
    community_id: UUID = ref("node.id")
    topic_id: UUID | None = maybe_ref("topic.id")
    subject_kind: str = Field(max_length=20)
    subject_id: UUID
    version: int
    person_id: UUID = ref("person.id", index=False)
    state: CheckState = choice(CheckState)
    label: int | None = None
    traces: list[str] = value(list[str])
    created_at: datetime = when()
    checked_at: datetime | None = maybe_when()


class MediaCheck(Row, table=True):
    """One medium that WeChat is to check; its verdict comes as an event, in half an hour or never.
    ``url`` must be one that WeChat can download for so long."""

    id: UUID = key()
    community_id: UUID = ref("node.id")
    topic_id: UUID | None = maybe_ref("topic.id")
    person_id: UUID = ref("person.id")
    url: str = Field(max_length=1000)
    kind: int
    state: CheckState = choice(CheckState)
    trace_id: str | None = Field(default=None, max_length=80, unique=True)
    label: int | None = None
    created_at: datetime = when()
    asked_at: datetime | None = maybe_when()
    checked_at: datetime | None = maybe_when()


class MediaVerdict(Row, table=True):
    """WeChat's word on a medium by trace id, pending until it comes. It may come before the answer
    that tells us the trace id is stored, and more than once: the first one stands."""

    trace_id: str = Field(primary_key=True, max_length=80)
    state: CheckState = choice(CheckState)
    label: int | None = None
    errcode: int = 0
    at: datetime = when()


# ---- codes and links ----------------------------------------------------------------------


class SceneKind(StrEnum):
    TOPIC = "topic"
    POLL = "poll"
    MEETING = "meeting"


class Scene(Row, table=True):
    """A short opaque name for a thing, which fits into a mini-program code, with the code's image
    once it is made and the link for messages, which runs out and is made again."""

    __table_args__ = (UniqueConstraint("kind", "target_id"),)

    scene: str = Field(primary_key=True, max_length=32)
    id: UUID = Field(sa_type=Uuid, unique=True, nullable=False)
    community_id: UUID = ref("node.id")
    kind: SceneKind = choice(SceneKind)
    target_id: UUID
    image: bytes | None = Field(default=None, sa_type=LargeBinary, nullable=True)
    url_link: str | None = Field(default=None, max_length=400)
    scheme: str | None = Field(default=None, max_length=400)
    link_expires_at: datetime | None = maybe_when()
    created_by_id: UUID = ref("person.id", index=False)
    created_at: datetime = when()
