"""Marks 表态: agree, disagree or pass on a statement, by residents as themselves.

Marks come in bursts. Those that come together share a transaction (``consultation.batching``) of a
handful of statements, however many they are; a mark writes two rows and no journal entry. A job
tells the counts: at most one telling of a topic a second, each statement with its counts as they
then stand, and the last counts of a burst are always told.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from consultation.batching import Batch
from consultation.database import Database, Transaction
from consultation.deliberation import mark_queries as queries
from consultation.deliberation import rules
from consultation.deliberation.mark_queries import Marker, MarkTarget
from consultation.deliberation.rules import Mark
from consultation.events.deliberation import StatementMarked
from consultation.jobs import JobKind, schedule
from consultation.permissions import SYSTEM, Deed, Role, grant_of
from consultation.refusals import NotFound, NotPermitted, Refusal

MOST = 64
"""Marks in one transaction."""
TELL_AFTER = timedelta(seconds=1)
TOLD_AT_ONCE = 50
FORGOTTEN = timedelta(seconds=10)
"""Counts untold for so long have lost their telling: the next mark asks for another."""


@dataclass(frozen=True, slots=True)
class MarkRequest:
    """``once`` is new for each mark and the same on a retry; ``under_role``: the request says it
    acts in office."""

    statement_id: UUID
    person_id: UUID
    mark: Mark
    once: str | None = None
    under_role: bool = False

    @property
    def pair(self) -> tuple[UUID, UUID]:
        return (self.statement_id, self.person_id)


@dataclass(frozen=True, slots=True)
class Marked:
    """The mark that stands, and the counts after it."""

    mark: Mark
    agrees: int
    disagrees: int
    passes: int


def marks_of(db: Database) -> Batch[MarkRequest, Marked]:
    """Where requests hand in their marks."""

    async def work(requests: Sequence[MarkRequest]) -> Sequence[Marked | Refusal]:
        async with db.begin(SYSTEM) as tx:
            return await mark_statements(tx, requests)

    return Batch(work, key=lambda request: request.pair, most=MOST)


async def mark_statements(
    tx: Transaction, requests: Sequence[MarkRequest]
) -> list[Marked | Refusal]:
    """Mark statements, at most one mark of a person on a statement at a time; an answer or a
    refusal for each request.

    The last mark of a person stands, and every mark counts as an event. A retry is not a mark:
    one with the same ``once`` as the person's last mark there, or, without ``once``, one that says
    what already stands, changes nothing.

    Refusals: NotFound, NotPermitted, ResidentsOnly, NotDeliberating, SpeakerUnderAge,
    StatementIsRejected.
    """
    targets = await queries.mark_targets(tx, {request.statement_id for request in requests})
    markers = await queries.markers(
        tx,
        {request.person_id for request in requests},
        {target.community_id for target in targets.values()},
    )
    refused = {r.pair: no for r in requests if (no := _refusal(tx, r, targets, markers))}
    allowed = sorted((r for r in requests if r.pair not in refused), key=lambda r: r.pair)

    first = await queries.insert_marks(
        tx,
        [
            {
                "statement_id": r.statement_id,
                "person_id": r.person_id,
                "community_id": targets[r.statement_id].community_id,
                "mark": r.mark,
                "last_key": r.once,
            }
            for r in allowed
        ],
    )
    standing = await queries.locked_marks(tx, [r.pair for r in allowed if r.pair not in first])
    changes: dict[UUID, Counter[str]] = {}
    stands = {r.pair: r.mark for r in allowed}
    for r in allowed:
        before: Mark | None = None
        row = standing.get(r.pair)
        if row is not None:
            before = stands[r.pair] = row.mark
            if rules.is_retry(before, row.last_key, mark=r.mark, once=r.once):
                continue
            row.mark, row.last_key, row.at = r.mark, r.once, tx.now
            row.events += 1
            stands[r.pair] = r.mark
        changes.setdefault(r.statement_id, Counter()).update(rules.change(before, r.mark))
    await queries.count_marks(tx, changes)
    counts = await queries.counts_of(tx, {r.statement_id for r in allowed})

    untold = {
        (targets[id].topic_id, targets[id].community_id)
        for id in changes
        if _wants_telling(counts[id].untold_since, tx)
    }
    for topic_id, community_id in sorted(untold):
        await _tell_later(tx, topic_id, community_id)
    return [
        refused.get(r.pair)
        or Marked(stands[r.pair], *(getattr(counts[r.statement_id], name) for name in rules.COUNTS))
        for r in requests
    ]


async def tell_marks(tx: Transaction, topic_id: UUID) -> None:
    """By the worker: tell the counts that changed, the longest untold first, at most
    ``TOLD_AT_ONCE`` now and the rest a second later."""
    changed = await queries.untold_statements(tx, topic_id, limit=TOLD_AT_ONCE)
    if len(changed) == TOLD_AT_ONCE:
        await _tell_later(tx, topic_id, changed[0].community_id)

    for statement in changed:
        statement.untold_since = None
        tx.emit(
            StatementMarked(
                community_id=statement.community_id,
                topic_id=topic_id,
                statement_id=statement.id,
                agrees=statement.agrees,
                disagrees=statement.disagrees,
                passes=statement.passes,
            )
        )


def _refusal(
    tx: Transaction,
    request: MarkRequest,
    targets: dict[UUID, MarkTarget],
    markers: dict[tuple[UUID, UUID], Marker],
) -> Refusal | None:
    target = targets.get(request.statement_id)
    if target is None:
        return NotFound(what="statement")
    marker = markers.get((request.person_id, target.community_id))
    try:
        if request.under_role:
            raise rules.ResidentsOnly()
        role = Role.VISITOR if marker is None else marker.role
        if grant_of(Deed.SPEAK, role) is None:  # no deed is named: no office helps here
            raise NotPermitted(role=role.value)
        rules.check_open(target.topic_state)
        rules.check_age(None if marker is None else marker.born_on, tx.now)
        rules.check_markable(target.state)
    except Refusal as refusal:
        return refusal
    return None


def _wants_telling(untold_since: datetime | None, tx: Transaction) -> bool:
    """The first change since the last telling asks for one, and one after a telling was lost."""
    return untold_since is None or not tx.now - FORGOTTEN < untold_since < tx.now


async def _tell_later(tx: Transaction, topic_id: UUID, community_id: UUID) -> None:
    """One telling per topic and second, however many ask for it."""
    await schedule(
        tx,
        JobKind.TELL_MARKS,
        topic_id,
        tx.now + TELL_AFTER,
        community_id=community_id,
        occasion=str(int(tx.now.timestamp())),
    )
