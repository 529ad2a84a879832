"""Idempotency-Key: a retry gets the answer of the first try, and nothing happens twice.

The key is claimed in the transaction that does the work, so that either both are there or neither.
A refused command leaves nothing behind and may be tried again with the same key. Keys belong to a
person; the same key with another request is refused.
"""

import hashlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated, TypeVar

from fastapi import Depends, FastAPI, Header, Request, Response
from pydantic import BaseModel
from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlmodel import col, select

from api.dependencies import CurrentActor, Db
from api.problems import BadRequest
from api.tables import IdempotencyRecord
from consultation.database import Database, Transaction
from consultation.permissions import Actor
from consultation.refusals import Invalid

Answer = TypeVar("Answer", bound=BaseModel)


class IdempotencyKeyRequired(BadRequest):
    """Commands without a natural key need an Idempotency-Key of 8 to 80 characters."""

    code = "idempotency-key-required"


class IdempotencyKeyReused(Invalid):
    """The key came before, with another request."""

    code = "idempotency-key-reused"


class Replay(Exception):
    """The command has been done; this is its answer."""

    def __init__(self, status: int, body: str) -> None:
        self.status = status
        self.body = body


class OneTime:
    """``async with once.begin() as tx: … return once.keep(out)`` in a route."""

    def __init__(
        self, db: Database, actor: Actor, key: str | None, fingerprint: str, status: int
    ) -> None:
        self._db = db
        self._actor = actor
        self._key = key
        self._fingerprint = fingerprint
        self._status = status
        self._kept: str | None = None

    @asynccontextmanager
    async def begin(self) -> AsyncGenerator[Transaction]:
        if self._key is None or not 8 <= len(self._key) <= 80:
            raise IdempotencyKeyRequired()
        async with self._db.begin(self._actor) as tx:
            await self._claim(tx, self._key)
            yield tx
            assert self._kept is not None, "a route must keep() its answer"
            await tx.session.exec(
                update(IdempotencyRecord)
                .where(
                    col(IdempotencyRecord.person_id) == tx.person_id,
                    col(IdempotencyRecord.key) == self._key,
                )
                .values(status=self._status, body=self._kept)
            )

    def keep(self, answer: Answer) -> Answer:
        """Remember the answer for a retry and hand it on."""
        self._kept = answer.model_dump_json()
        return answer

    async def _claim(self, tx: Transaction, key: str) -> None:
        insert = sqlite_insert if self._db.is_sqlite else pg_insert
        claimed = await tx.session.exec(
            insert(IdempotencyRecord)
            .values(
                person_id=tx.person_id,
                key=key,
                fingerprint=self._fingerprint,
                status=0,
                body="",
                created_at=tx.now,
            )
            .on_conflict_do_nothing(index_elements=["person_id", "key"])
        )
        if claimed.rowcount:
            return
        earlier = (
            await tx.session.exec(
                select(IdempotencyRecord).where(
                    IdempotencyRecord.person_id == tx.person_id, IdempotencyRecord.key == key
                )
            )
        ).one()
        if earlier.fingerprint != self._fingerprint:
            raise IdempotencyKeyReused()
        raise Replay(earlier.status, earlier.body)


async def one_time(
    request: Request,
    db: Db,
    actor: CurrentActor,
    idempotency_key: Annotated[
        str | None, Header(description="8 to 80 characters, new for each command, same on retry")
    ] = None,
) -> OneTime:
    content = f"{request.method} {request.url.path} {actor.assignment_id}\n".encode()
    fingerprint = hashlib.sha256(content + await request.body()).hexdigest()
    status = getattr(request.scope.get("route"), "status_code", None) or 200
    return OneTime(db, actor, idempotency_key, fingerprint, status)


Once = Annotated[OneTime, Depends(one_time)]


def install(app: FastAPI) -> None:
    @app.exception_handler(Replay)
    async def replay(request: Request, exc: Replay) -> Response:
        return Response(
            exc.body, exc.status, {"idempotent-replay": "true"}, media_type="application/json"
        )
