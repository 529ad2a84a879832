"""Rows that belong to the surface: sessions, and answers kept for a retry."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import Index
from sqlalchemy import text as sql
from sqlmodel import Field

from consultation.columns import Row, UtcDateTime, key, maybe_when, ref, text, when
from notifications.wechat import tables as wechat


class LoginCode(Row, table=True):
    """A login code exchanged less than a minute ago: a client that lost our answer may re-send
    it. ``code_hash`` is SHA-256 of app id and code."""

    code_hash: str = Field(primary_key=True, max_length=64)
    account_id: UUID = ref("wechat_account.id")
    at: datetime = Field(sa_type=UtcDateTime, nullable=False, index=True)


class LoginSession(Row, table=True):
    """One login of one device: the family of its refresh tokens. Its person is its account's."""

    __table_args__ = (
        Index(
            "ix_login_session_ended",
            "revoked_at",
            sqlite_where=sql("revoked_at IS NOT NULL"),
            postgresql_where=sql("revoked_at IS NOT NULL"),
        ),
    )

    id: UUID = key()
    account_id: UUID = ref("wechat_account.id")
    device: str = Field(default="", max_length=80)
    created_at: datetime = when()
    last_used_at: datetime = when()
    expires_at: datetime = when()
    revoked_at: datetime | None = maybe_when()


class EndedSession(Row, table=True):
    """A session that went with its account, until its access tokens have run out."""

    session_id: UUID = key()
    at: datetime = Field(sa_type=UtcDateTime, nullable=False, index=True)


class RefreshToken(Row, table=True):
    """One refresh token of a session. Each is used once; a second use ends the session
    (RFC 9700). Only its SHA-256 is stored; used ones stay until they expire."""

    token_hash: str = Field(primary_key=True, max_length=64)
    session_id: UUID = ref("login_session.id")
    expires_at: datetime = when()
    used_at: datetime | None = maybe_when()


class PhoneCode(Row, table=True):
    """The code last sent to a phone by SMS. ``phone_lookup`` and ``code_hash`` are keyed hashes."""

    phone_lookup: str = Field(primary_key=True, max_length=64)
    id: UUID = Field(unique=True)
    code_hash: str = Field(max_length=64)
    attempts: int = 0
    sent_at: datetime = when()
    expires_at: datetime = Field(sa_type=UtcDateTime, nullable=False, index=True)
    used_at: datetime | None = maybe_when()


class PhoneCodeCount(Row, table=True):
    """How many codes were sent on a day, in Shanghai's time: ``of`` is ``all``, or a phone or an
    address as a keyed hash."""

    of: str = Field(primary_key=True, max_length=80)
    day: date = Field(primary_key=True, index=True)
    sent: int


class IdempotencyRecord(Row, table=True):
    """The answer to a command, kept so that a retry gets the same one."""

    person_id: UUID = Field(primary_key=True)
    key: str = Field(primary_key=True, max_length=80)
    fingerprint: str = Field(max_length=64)
    status: int = 0
    body: str = text()
    created_at: datetime = when()


ACCOUNTS = wechat  # sessions refer to them; with this import the schema is whole
