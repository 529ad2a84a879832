"""Rows that belong to the surface: accounts, sessions, and answers kept for a retry."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Field

from consultation.columns import Row, maybe_when, ref, sealed, text, when


class WechatAccount(Row, table=True):
    """An openid of one app. Several may belong to one person; votes never key on openid."""

    app_id: str = Field(primary_key=True, max_length=40)
    openid: str = Field(primary_key=True, max_length=64)
    unionid: str | None = Field(default=None, max_length=64, index=True)
    person_id: UUID = ref("person.id")
    session_key_sealed: bytes | None = sealed()
    last_login_at: datetime = when()


class LoginCode(Row, table=True):
    """A login code exchanged less than a minute ago: a client that lost our answer may re-send
    it. ``code_hash`` is SHA-256 of app id and code."""

    code_hash: str = Field(primary_key=True, max_length=64)
    person_id: UUID = ref("person.id")
    at: datetime = when()


class RefreshToken(Row, table=True):
    """One refresh token of a family (one login of one device). Each is used once; a second use
    kills the family (RFC 9700). Only its SHA-256 is stored."""

    token_hash: str = Field(primary_key=True, max_length=64)
    family_id: UUID = Field(index=True)
    person_id: UUID = ref("person.id")
    device: str = Field(default="", max_length=80)
    issued_at: datetime = when()
    expires_at: datetime = when()
    used_at: datetime | None = maybe_when()
    revoked_at: datetime | None = maybe_when()


class IdempotencyRecord(Row, table=True):
    """The answer to a command, kept so that a retry gets the same one."""

    person_id: UUID = Field(primary_key=True)
    key: str = Field(primary_key=True, max_length=80)
    fingerprint: str = Field(max_length=64)
    status: int = 0
    body: str = text()
    created_at: datetime = when()
