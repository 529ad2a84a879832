"""Where requests hand in the voter's own ballot: many in one durable transaction, each answered
after the commit that carries it (ADR 0025). Not journalled one by one: the ledger is the record.
"""

from collections.abc import Sequence
from contextlib import suppress
from secrets import randbelow

from asyncpg import InterfaceError, PostgresConnectionError

from consultation.batching import Batch, Busy
from consultation.database import Database
from consultation.permissions import Actor
from consultation.polls.commands.casting import cast_ballot
from consultation.polls.envelope_box import SealedReceipt
from consultation.polls.express.judging import Alone, OwnCast, Receipt
from consultation.polls.express.postgres import PostgresBox
from consultation.polls.express.sqlite import SqliteBox
from consultation.polls.express.steps import Answer
from consultation.polls.tables import TURNOUT_SHARDS
from consultation.refusals import Refusal


def _voter(cast: OwnCast) -> tuple[int, int]:
    return (cast.poll_id.int, cast.person_id.int)  # ids are dear to hash


MOST = 256
"""Ballots in one transaction."""
WRITERS = 2
"""Transactions under way together on PostgreSQL: while it writes one, the next is judged. With
more, batches get smaller and each ballot dearer."""
WORTH = 16
"""Ballots for which a further transaction is begun."""
BOUND = 4096
"""Ballots that may wait; at the rate of one process, a fraction of a second."""
LOST = (OSError, TimeoutError, PostgresConnectionError, InterfaceError)
"""The connection is gone, and with it perhaps the answer to a commit."""


class Express:
    """One per process. ``cast`` may be called by many at once."""

    def __init__(self, db: Database, *, most: int = MOST, bound: int = BOUND) -> None:
        self._db = db
        self._free: list[SqliteBox | PostgresBox]
        if db.is_sqlite:
            assert db.decides is not None
            self._free = [SqliteBox(db.url, db.decides, db.turn)]
        else:
            # Which counters a process moves is chance, so that two seldom wait for one another.
            shard = randbelow(TURNOUT_SHARDS)
            self._free = [PostgresBox(db.url, db.decides, shard=shard + n) for n in range(WRITERS)]
        self._batch: Batch[OwnCast, Receipt | Alone] = Batch(
            self._work, key=_voter, most=most, bound=bound, at_once=len(self._free), worth=WORTH
        )
        db.on_dispose += [box.close for box in self._free]

    async def cast(self, cast: OwnCast) -> Receipt:
        """The receipt of one's own ballot; see ``casting.cast_ballot`` for its refusals, and Busy
        when too many wait or the database does not answer."""
        answer = await self._batch.do(cast)
        if isinstance(answer, Receipt):
            return answer
        return await self.cast_alone(cast, Actor(person_id=cast.person_id))

    async def cast_alone(self, cast: OwnCast, actor: Actor) -> Receipt:
        """In a transaction of its own: for who acts under a role, and for what no batch takes."""
        async with self._db.begin(actor) as tx:
            ballot = await cast_ballot(tx, cast.poll_id, cast.answers, once=cast.once)
        tracker = ballot.tracker if isinstance(ballot, SealedReceipt) else None
        return Receipt(cast.poll_id, ballot.receipt, ballot.cast_at, tracker)

    async def _work(self, casts: Sequence[OwnCast]) -> Sequence[Receipt | Alone | Refusal]:
        box = self._free.pop()
        try:
            with suppress(*LOST):
                return await box.put_in(casts)
            with suppress(*LOST):
                return await box.put_in(casts)  # over a new connection
        finally:
            self._free.append(box)
        nothing: list[Answer] = [Busy() for _ in casts]
        return nothing
