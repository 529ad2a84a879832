"""SQL on the evidence of a poll: manifest, board, heads, certificates. Whoever asks has the poll's
row from ``queries.access_poll``."""

from collections.abc import Collection, Sequence
from uuid import UUID

from sqlmodel import col, exists, func, select

from consultation.database import Transaction
from consultation.polls.board_tables import BoardLeaf, PollCertificate, PollManifest, Tree, TreeHead
from consultation.polls.envelope_tables import Envelope, OpenedBallot, read_replaced
from consultation.polls.leaves import leaf_hash, opened_leaf
from consultation.polls.manifest import RollLine, voter_of
from consultation.polls.presets import BallotMode
from consultation.polls.queries import on_roll
from consultation.polls.reconciliation import Reconciliation
from consultation.polls.tables import Ballot, Poll, RollEntry


async def roll_lines(tx: Transaction, poll: Poll) -> list[RollLine]:
    """The present roll as its root commits to it, in the order of its numbers."""
    secret = poll.roll_secret
    if secret is None:
        raise RuntimeError("the pseudonyms of this roll were destroyed")
    rows = await tx.session.exec(
        select(
            RollEntry.number,
            RollEntry.person_id,
            RollEntry.area_dm2,
            RollEntry.units,
            RollEntry.salt,
        )  # type: ignore[call-overload]
        .where(*on_roll(poll))
        .order_by(col(RollEntry.number))
    )
    return [
        RollLine(
            number=number,
            voter=None if person_id is None else voter_of(secret, person_id),
            area_dm2=area_dm2,
            units=len(units),
            salt=salt,
        )
        for number, person_id, area_dm2, units, salt in rows
    ]


async def manifest_of(tx: Transaction, poll: Poll) -> PollManifest | None:
    """The manifest in force; None of a draft."""
    rows = await tx.session.exec(
        select(PollManifest).where(
            PollManifest.poll_id == poll.id, PollManifest.digest == poll.manifest_hash
        )
    )
    return rows.first()


async def recorded_waiting(tx: Transaction, poll: Poll) -> list[bytes]:
    """Recorded leaves that are not on the board yet: of casts, or of envelopes with those that a
    re-vote replaced."""
    kind = Envelope if poll.mode is BallotMode.CONFIDENTIAL else Ballot
    on_board = exists().where(
        col(BoardLeaf.poll_id) == poll.id,
        col(BoardLeaf.tree) == Tree.RECORDED,
        col(BoardLeaf.leaf_hash) == col(kind.leaf_hash),
    )
    rows = await tx.session.exec(select(kind.leaf_hash).where(kind.poll_id == poll.id, ~on_board))
    waiting = list(rows)
    if poll.mode is BallotMode.CONFIDENTIAL:
        waiting += await _replaced_waiting(tx, poll.id)
    return waiting


async def _replaced_waiting(tx: Transaction, poll_id: UUID) -> list[bytes]:
    rows = await tx.session.exec(
        select(Envelope.replaced).where(Envelope.poll_id == poll_id, Envelope.replaced != b"")
    )
    replaced = {leaf for row in rows for _, leaf in read_replaced(row)}
    return list(replaced - set(await leaf_hashes(tx, poll_id, Tree.RECORDED))) if replaced else []


async def opened_leaves(tx: Transaction, poll: Poll) -> list[bytes]:
    """Hashes of the ballots that came out of the box, in the order of their trackers."""
    rows = await tx.session.exec(
        select(OpenedBallot.tracker, OpenedBallot.choices)
        .where(OpenedBallot.poll_id == poll.id)
        .order_by(col(OpenedBallot.number))
    )
    return [
        leaf_hash(
            opened_leaf(
                poll_id=poll.id, tracker=tracker, choices=None if choices is None else dict(choices)
            )
        )
        for tracker, choices in rows
    ]


async def leaf_hashes(tx: Transaction, poll_id: UUID, tree: Tree) -> list[bytes]:
    """A whole tree, in its order."""
    rows = await tx.session.exec(
        select(BoardLeaf.leaf_hash)
        .where(BoardLeaf.poll_id == poll_id, BoardLeaf.tree == tree)
        .order_by(col(BoardLeaf.idx))
    )
    return list(rows)


async def leaves_page(
    tx: Transaction, poll_id: UUID, tree: Tree, *, start: int, limit: int
) -> list[tuple[int, bytes]]:
    """(index, hash) from an index on."""
    rows = await tx.session.exec(
        select(BoardLeaf.idx, BoardLeaf.leaf_hash)
        .where(BoardLeaf.poll_id == poll_id, BoardLeaf.tree == tree, col(BoardLeaf.idx) >= start)
        .order_by(col(BoardLeaf.idx))
        .limit(limit)
    )
    return list(rows)


async def leaf_index(tx: Transaction, poll_id: UUID, tree: Tree, leaf: bytes) -> int | None:
    rows = await tx.session.exec(
        select(BoardLeaf.idx).where(
            BoardLeaf.poll_id == poll_id, BoardLeaf.tree == tree, BoardLeaf.leaf_hash == leaf
        )
    )
    return rows.first()


async def last_head(tx: Transaction, poll_id: UUID, tree: Tree) -> TreeHead | None:
    rows = await tx.session.exec(
        select(TreeHead)
        .where(TreeHead.poll_id == poll_id, TreeHead.tree == tree)
        .order_by(col(TreeHead.number).desc())
        .limit(1)
    )
    return rows.first()


async def heads_page(
    tx: Transaction, poll_id: UUID, tree: Tree, *, after: int, limit: int
) -> list[TreeHead]:
    rows = await tx.session.exec(
        select(TreeHead)
        .where(TreeHead.poll_id == poll_id, TreeHead.tree == tree, col(TreeHead.number) > after)
        .order_by(col(TreeHead.number))
        .limit(limit)
    )
    return list(rows)


async def all_heads(tx: Transaction, poll_id: UUID) -> list[TreeHead]:
    """Every head, by tree and number."""
    rows = await tx.session.exec(
        select(TreeHead)
        .where(TreeHead.poll_id == poll_id)
        .order_by(col(TreeHead.tree), col(TreeHead.number))
    )
    return list(rows)


async def last_heads(
    tx: Transaction, poll_ids: Collection[UUID]
) -> dict[UUID, dict[Tree, TreeHead]]:
    """The last head of each tree of these polls, in one statement."""
    newest = (
        select(TreeHead.poll_id, TreeHead.tree, func.max(TreeHead.number).label("number"))
        .where(col(TreeHead.poll_id).in_(poll_ids))
        .group_by(col(TreeHead.poll_id), col(TreeHead.tree))
        .subquery()
    )
    rows = await tx.session.exec(
        select(TreeHead).join(
            newest,
            (col(TreeHead.poll_id) == newest.c.poll_id)
            & (col(TreeHead.tree) == newest.c.tree)
            & (col(TreeHead.number) == newest.c.number),
        )
    )
    found: dict[UUID, dict[Tree, TreeHead]] = {}
    for head in rows:
        found.setdefault(head.poll_id, {})[head.tree] = head
    return found


async def certificates(tx: Transaction, poll_id: UUID) -> Sequence[PollCertificate]:
    """All versions, first to last."""
    rows = await tx.session.exec(
        select(PollCertificate)
        .where(PollCertificate.poll_id == poll_id)
        .order_by(col(PollCertificate.version))
    )
    return list(rows)


async def certified_reports(
    tx: Transaction, poll_ids: Collection[UUID]
) -> dict[UUID, Reconciliation]:
    """How these polls added up as it was certified last, in one statement; of those without a
    certificate nothing."""
    newest = (
        select(PollCertificate.poll_id, func.max(PollCertificate.version).label("version"))
        .where(col(PollCertificate.poll_id).in_(poll_ids))
        .group_by(col(PollCertificate.poll_id))
        .subquery()
    )
    rows = await tx.session.exec(
        select(PollCertificate.poll_id, PollCertificate.reconciliation).join(
            newest,
            (col(PollCertificate.poll_id) == newest.c.poll_id)
            & (col(PollCertificate.version) == newest.c.version),
        )
    )
    return {poll_id: Reconciliation.model_validate(report) for poll_id, report in rows}
