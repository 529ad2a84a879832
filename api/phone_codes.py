"""Codes by SMS, for whoever has a browser and no WeChat: who reads one has the phone.

A code has six digits, is good for five minutes and five attempts, and works once; sent again
within a minute it works again, for a client that lost our answer. Of a code only a keyed hash is
stored, as of the phone and of the address that asked. The answer to a request for a code is the
same whether or not anybody is known by the phone: nothing is looked up until the code has come
back. How many codes a day there may be is limited by phone, by address, and in all (each costs
money); the counters are raised by the database, so that requests at the same time are counted too.
"""

import hmac
import secrets
from dataclasses import dataclass, field
from datetime import date, timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any
from uuid import UUID

from sqlalchemy import delete, func, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlmodel import col

from api.dependencies import Services
from api.problems import TooManyRequests, Unavailable
from api.settings import Settings
from api.tables import PhoneCode, PhoneCodeCount
from api.words import say
from consultation.calendar import SHANGHAI
from consultation.database import Transaction
from consultation.refusals import Invalid, NotFound
from notifications.channels import Letter, Outcome

LIVES = timedelta(minutes=5)
ATTEMPTS = 5
PAUSE = timedelta(seconds=60)
"""Between two codes to one phone; and how long a used code is answered again."""
WORDS = "phone_code"


class SmsCodeInvalid(Invalid):
    """Not the code that was last sent to this phone, or too old, used, or tried too often."""

    code = "sms-code-invalid"


class SmsNotOffered(NotFound):
    """This server sends no codes: log in with WeChat, or come to the community's office."""

    code = "sms-not-offered"


class TooManySmsCodes(TooManyRequests):
    """No more codes today for this phone, from this address, or in all."""

    code = "too-many-sms-codes"


class SmsUnavailable(Unavailable):
    """The provider did not take the message."""

    code = "sms-unavailable"


@dataclass(frozen=True, slots=True)
class Promise:
    """Seconds for which the code is good, and after which another one may be asked for."""

    expires_in: int = int(LIVES.total_seconds())
    again_in: int = int(PAUSE.total_seconds())


def offered(settings: Settings) -> bool:
    """With a provider; one that wants templates must have one for codes."""
    if settings.sms_provider == "http":
        return WORDS in settings.sms_templates
    return settings.sms_provider == "file"


async def send(app: Services, phone: str, address: str | None) -> Promise:
    """Send a code, unless one went to this phone less than a minute ago: the answer is the same.
    SmsNotOffered where there are none; TooManySmsCodes, SmsUnavailable."""
    if not offered(app.settings):
        raise SmsNotOffered()
    async with app.db.begin() as tx:
        fresh = await _make(tx, app.settings, phone, address)
    if fresh is None:
        return Promise()
    facts = {"code": fresh.code, "minutes": int(LIVES.total_seconds()) // 60}
    sent = await app.sms.send(
        Letter(
            dedupe_key=f"phone_code:{fresh.id}",
            person_id=fresh.id,
            template=WORDS,
            facts=facts,
            title=say("zh-CN", f"sms.{WORDS}.title"),
            text=say("zh-CN", f"sms.{WORDS}.text", facts),
            page="",
            phone=phone,
        )
    )
    if sent.outcome is not Outcome.SENT:
        async with app.db.begin() as tx:  # it may be asked for again at once; it was counted
            await _forget(tx, fresh.id)
        raise SmsUnavailable()
    return Promise()


async def check(app: Services, phone: str, code: str) -> None:
    """Count the attempt, whatever comes of it, in a transaction of its own. SmsCodeInvalid."""
    async with app.db.begin() as tx:
        counted = await tx.session.exec(
            update(PhoneCode)
            .where(*_good(tx, phone))
            .values(attempts=PhoneCode.attempts + 1)
            .returning(col(PhoneCode.code_hash))
            .execution_options(synchronize_session=False)
        )
        wanted = counted.scalar_one_or_none()
    if wanted is None or not hmac.compare_digest(wanted, _hashed(tx, phone, code)):
        raise SmsCodeInvalid()


async def use(tx: Transaction, phone: str, code: str) -> None:
    """Use the code that ``check`` has found right, in the transaction that acts upon it."""
    used = await tx.session.exec(
        update(PhoneCode)
        .where(
            *_good(tx, phone, attempts=ATTEMPTS + 1),
            col(PhoneCode.code_hash) == _hashed(tx, phone, code),
        )
        .values(used_at=func.coalesce(PhoneCode.used_at, tx.now))
        .execution_options(synchronize_session=False)
    )
    if used.rowcount == 0:
        raise SmsCodeInvalid()


def _good(tx: Transaction, phone: str, *, attempts: int = ATTEMPTS) -> list[Any]:
    return [
        col(PhoneCode.phone_lookup) == tx.vault.lookup("phone", phone),
        col(PhoneCode.attempts) < attempts,
        col(PhoneCode.expires_at) > tx.now,
        (col(PhoneCode.used_at).is_(None)) | (col(PhoneCode.used_at) > tx.now - PAUSE),
    ]


@dataclass(frozen=True, slots=True)
class _Fresh:
    id: UUID
    code: str = field(repr=False)


async def _make(
    tx: Transaction, settings: Settings, phone: str, address: str | None
) -> _Fresh | None:
    """A code in place of the phone's last one; None if that is less than a minute old."""
    lookup = tx.vault.lookup("phone", phone)
    fresh = _Fresh(tx.new_id(), f"{secrets.randbelow(10**6):06}")
    row = {
        "phone_lookup": lookup,
        "id": fresh.id,
        "code_hash": _hashed(tx, phone, fresh.code),
        "attempts": 0,
        "sent_at": tx.now,
        "expires_at": tx.now + LIVES,
        "used_at": None,
    }
    statement = _insert(tx)(PhoneCode).values(row)
    made = await tx.session.exec(
        statement.on_conflict_do_update(
            index_elements=["phone_lookup"],
            set_={name: statement.excluded[name] for name in row if name != "phone_lookup"},
            where=col(PhoneCode.sent_at) <= tx.now - PAUSE,
        ).returning(col(PhoneCode.id))
    )
    if made.scalar_one_or_none() is None:
        return None
    today = tx.now.astimezone(SHANGHAI).date()
    place = tx.vault.lookup("address", _network(address))
    for of, most in (
        (f"phone {lookup}", settings.sms_codes_per_phone),
        (f"address {place}", settings.sms_codes_per_address),
        ("all", settings.sms_codes_per_day),
    ):
        if await _count(tx, of, today) > most:
            raise TooManySmsCodes()
    await _sweep(tx, today)
    return fresh


async def _count(tx: Transaction, of: str, day: date) -> int:
    statement = _insert(tx)(PhoneCodeCount).values(of=of, day=day, sent=1)
    counted = await tx.session.exec(
        statement.on_conflict_do_update(
            index_elements=["of", "day"], set_={"sent": col(PhoneCodeCount.sent) + 1}
        ).returning(col(PhoneCodeCount.sent))
    )
    return counted.scalar_one()


async def _sweep(tx: Transaction, today: date) -> None:
    """What no longer serves goes: codes of yesterday, counters of the day before."""
    for table, over in (
        (PhoneCode, col(PhoneCode.expires_at) < tx.now - timedelta(days=1)),
        (PhoneCodeCount, col(PhoneCodeCount.day) < today),
    ):
        await tx.session.exec(
            delete(table).where(over).execution_options(synchronize_session=False)
        )


async def _forget(tx: Transaction, id: UUID) -> None:
    await tx.session.exec(
        delete(PhoneCode)
        .where(col(PhoneCode.id) == id)
        .execution_options(synchronize_session=False)
    )


def _hashed(tx: Transaction, phone: str, code: str) -> str:
    return tx.vault.lookup("phone_code", f"{phone}\0{code}")


def _network(address: str | None) -> str:
    """Whoever has an IPv6 address has all 2**64 beside it."""
    try:
        ip = ip_address(address or "")
    except ValueError:
        return ""
    if isinstance(ip, IPv6Address):
        return str(ip_network(f"{ip}/64", strict=False))
    return str(ip)


def _insert(tx: Transaction) -> Any:
    return sqlite_insert if tx.session.get_bind().dialect.name == "sqlite" else pg_insert
