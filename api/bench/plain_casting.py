"""What casting is measured beside: the bare endpoint, the route as one writes it first, and one
transaction per ballot. None of it is served to anybody."""

import json
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from fastapi import Depends, FastAPI, Header, HTTPException  # noqa: TID251  as one writes it first
from pydantic import BaseModel, TypeAdapter
from sqlalchemy import make_url, update
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from api.routes.ballots import BallotIn
from api.tokens import Tokens
from consultation.community.tables import Residence
from consultation.database import Database
from consultation.ids import random_id
from consultation.polls.leaves import SALT_BYTES
from consultation.polls.presets import BallotChannel
from consultation.polls.rules import PollState
from consultation.polls.tables import Ballot, Poll, PollTurnout, RollEntry
from consultation.topics.tables import Topic

BODY: TypeAdapter[BallotIn] = TypeAdapter(BallotIn)


def bare(tokens: Tokens) -> Any:
    """The least: a token that holds, a body of the right shape, an answer."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                await send({"type": f"{message['type']}.complete"})
                if message["type"] == "lifespan.shutdown":
                    return
        token = next(value for name, value in scope["headers"] if name == b"authorization")
        tokens.read(token.decode("latin-1")[7:])
        body = b""
        while True:
            message = await receive()
            body += message["body"]
            if not message["more_body"]:
                break
        BODY.validate_python(json.loads(body))
        answer = (
            b'{"poll_id":"00000000-0000-0000-0000-000000000000","receipt":"' + b"0" * 64 + b'"}'
        )
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(answer)).encode()),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    return app


class Received(BaseModel):
    receipt: str


def with_orm(db: Database, tokens: Tokens) -> FastAPI:
    """One session a request: look, check, add, count, commit."""
    app = FastAPI(openapi_url=None)

    async def person(authorization: Annotated[str, Header()]) -> UUID:
        return tokens.read(authorization[7:]).person_id

    @app.put("/v1/polls/{poll_id}/ballot")
    async def cast(
        poll_id: UUID, body: BallotIn, who: Annotated[UUID, Depends(person)]
    ) -> Received:
        async with AsyncSession(db.writer, expire_on_commit=False) as session:
            poll = await session.get(Poll, poll_id)
            if poll is None or poll.state is not PollState.OPEN or db.clock() >= poll.closes_at:
                raise HTTPException(409)
            topic = await session.get(Topic, poll.topic_id)
            home = await session.exec(
                select(Residence).where(
                    Residence.person_id == who, Residence.community_id == poll.community_id
                )
            )
            place = (
                await session.exec(
                    select(RollEntry).where(
                        RollEntry.poll_id == poll.id, RollEntry.person_id == who
                    )
                )
            ).first()
            if topic is None or home.first() is None or place is None:
                raise HTTPException(403)
            earlier = await session.exec(
                select(Ballot).where(Ballot.poll_id == poll.id, Ballot.roll_entry_id == place.id)
            )
            if earlier.first() is not None:
                raise HTTPException(409)
            ballot = Ballot(
                poll_id=poll.id,
                roll_entry_id=place.id,
                community_id=poll.community_id,
                choices={str(answer.item): answer.choices for answer in body.answers},
                channel=BallotChannel.ELECTRONIC,
                salt=random_id().bytes[:SALT_BYTES],
                leaf_hash=random_id().bytes + random_id().bytes,
                cast_at=db.clock(),
            )
            session.add(ballot)
            await session.flush()
            await session.exec(
                update(PollTurnout)
                .where(
                    col(PollTurnout.poll_id) == poll.id, col(PollTurnout.shard) == place.number % 16
                )
                .values(heads=PollTurnout.heads + 1, area_dm2=PollTurnout.area_dm2 + place.area_dm2)
            )
            await session.commit()
            return Received(receipt=ballot.receipt)

    return app


TABLES = """
CREATE TABLE bench_place (
  n int PRIMARY KEY, poll_id uuid NOT NULL, roll_entry_id uuid NOT NULL, community_id uuid NOT NULL
);
CREATE TABLE bench_tally (poll int, choice int, n bigint NOT NULL, PRIMARY KEY (poll, choice));
"""
PGBENCH = r"""
\set i :i + 1
\set n :first + :client_id * :each + :i
\set poll :n % :polls
\set choice random(1, 2)
BEGIN;
INSERT INTO ballot (poll_id, roll_entry_id, cast_no, community_id, choices, channel, set_aside,
                    salt, leaf_hash, cast_at)
SELECT poll_id, roll_entry_id, 1, community_id, '{"1": ["for"]}', 'electronic', false,
       '\x00112233445566778899aabbccddeeff',
       '\x00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff', now()
FROM bench_place WHERE n = :n ON CONFLICT DO NOTHING;
UPDATE bench_tally SET n = n + 1 WHERE poll = :poll AND choice = :choice;
COMMIT;
"""
"""The same row by one transaction with a live tally; ``first`` + ``client_id`` × ``each`` + i is a
place nobody has voted from."""

LOOK = """
SELECT e.id, e.number, e.area_dm2, e.community_id, p.closes_at, clock_timestamp(), r.level
FROM poll p
JOIN topic t ON t.id = p.topic_id
JOIN residence r ON r.person_id = $2 AND r.community_id = t.community_id
JOIN roll_entry e ON e.poll_id = p.id AND e.roll_version = p.roll_version AND e.person_id = $2
WHERE p.id = $1 AND p.state = 'open' FOR SHARE OF p
"""
INSERT = """
INSERT INTO ballot (poll_id, roll_entry_id, cast_no, community_id, choices, channel, set_aside,
                    salt, leaf_hash, cast_at)
VALUES ($1, $2, 1, $3, '{"1": ["for"]}', 'electronic', false, $4, $5, $6) ON CONFLICT DO NOTHING
"""
COUNT = """
UPDATE poll_turnout SET heads = heads + 1, area_dm2 = area_dm2 + $2 WHERE poll_id = $1 AND shard = 0
"""


class OneByOne:
    """One transaction per ballot with the same checks, on the driver without anything between."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    @classmethod
    async def open(cls, url: str) -> "OneByOne":
        dsn = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
        return cls(await asyncpg.connect(dsn))

    async def cast(self, poll_id: UUID, person: UUID) -> None:
        ask = self._connection
        async with ask.transaction():
            seen = await ask.fetchrow(LOOK, poll_id, person)
            assert seen is not None
            entry, _, area, community, closes_at, now, _ = seen
            assert now < closes_at
            salt, leaf = random_id().bytes, random_id().bytes + random_id().bytes
            await ask.execute(INSERT, poll_id, entry, community, salt, leaf, now)
            await ask.execute(COUNT, poll_id, area)

    async def close(self) -> None:
        await self._connection.close()
