"""The evidence of a poll as it comes about: the manifest with the announcement, batches on the
board while it is open, the last batch after the close. No transaction that writes a ballot writes
the board."""

from secrets import token_bytes
from uuid import UUID

from sqlalchemy import insert

from consultation.database import Transaction
from consultation.jobs import JobKind, schedule
from consultation.permissions import Deed
from consultation.polls import board, disclosure, manifest, merkle
from consultation.polls.board_queries import (
    last_head,
    leaf_hashes,
    opened_leaves,
    recorded_waiting,
    roll_lines,
)
from consultation.polls.board_tables import BoardLeaf, PollManifest, Tree, TreeHead
from consultation.polls.leaves import SALT_BYTES, canonical
from consultation.polls.queries import access_poll
from consultation.polls.rules import PollState
from consultation.polls.tables import Poll

SECRET_BYTES = 32


async def fix_manifest(tx: Transaction, poll: Poll) -> PollManifest:
    """Fix what the poll is about, from its terms and its present roll, which are in the database
    already. Called with the announcement, and again when an upheld objection changed the roll.

    Refuses with ManifestFixed once the poll has opened.
    """
    if poll.state is not PollState.ANNOUNCED:
        raise manifest.ManifestFixed(state=poll.state.value)
    poll.roll_secret = poll.roll_secret or token_bytes(SECRET_BYTES)
    poll.result_salt = poll.result_salt or token_bytes(SALT_BYTES)
    content = manifest.build(poll, await roll_lines(tx, poll), board_key=tx.board_key.public)
    row = PollManifest(
        poll_id=poll.id,
        version=poll.roll_version,
        community_id=poll.community_id,
        content=canonical(content).decode(),
        digest=manifest.digest(content),
        fixed_at=tx.now,
    )
    tx.session.add(row)
    poll.manifest_hash = row.digest
    return row


async def put_on_board(tx: Transaction, poll_id: UUID) -> None:
    """A round of batches, by the system; after the close the last one. Doing it again adds
    nothing."""
    poll, _ = await access_poll(tx, poll_id, Deed.RUN_SYSTEM)
    if poll.manifest_hash is None or poll.state in (PollState.DRAFT, PollState.VOIDED):
        return
    if poll.state in (PollState.CLOSED, PollState.PUBLISHED):
        await finish_board(tx, poll)
        return
    await schedule_round(tx, poll)
    if poll.state is PollState.OPEN:
        waiting = await recorded_waiting(tx, poll)
        last = await last_head(tx, poll.id, Tree.RECORDED)
        size = disclosure.for_board(
            poll.preset, poll.mode, len(waiting), closes_at=poll.closes_at, now=tx.now
        )
        if board.batch_is_due(size, None if last is None else last.at, tx.now):
            await _append(tx, poll, Tree.RECORDED, sorted(waiting)[:size], last)


async def schedule_round(tx: Transaction, poll: Poll) -> None:
    """Ask for the next round of batches, while the poll is open or will be."""
    at = board.next_round(max(tx.now, poll.opens_at))
    await schedule(
        tx,
        JobKind.BOARD_BATCH,
        poll.id,
        at,
        community_id=poll.community_id,
        occasion=at.isoformat(),
    )


async def schedule_last_round(tx: Transaction, poll: Poll) -> None:
    """Ask for the last batch, in a transaction of its own."""
    await schedule(
        tx, JobKind.BOARD_BATCH, poll.id, tx.now, community_id=poll.community_id, occasion="last"
    )


async def finish_board(tx: Transaction, poll: Poll) -> dict[Tree, TreeHead]:
    """The last batch of a closed poll and the heads that nothing follows: of the recorded leaves,
    and of the opened ballots once a box was opened. Doing it again changes nothing. Before the
    envelopes are destroyed this must have been done."""
    waiting = await recorded_waiting(tx, poll)
    last = await last_head(tx, poll.id, Tree.RECORDED)
    if last is None or waiting:
        last = await _append(tx, poll, Tree.RECORDED, sorted(waiting), last)
    heads = {Tree.RECORDED: last}
    if poll.box_opened_at is not None:
        opened = await last_head(tx, poll.id, Tree.OPENED)
        if opened is None:
            opened = await _append(tx, poll, Tree.OPENED, await opened_leaves(tx, poll), None)
        heads[Tree.OPENED] = opened
    return heads


async def _append(
    tx: Transaction, poll: Poll, tree: Tree, batch: list[bytes], last: TreeHead | None
) -> TreeHead:
    """Append in the order given and sign the head. Two batches at once would take the same places:
    the primary keys let one of them in."""
    hashes = await leaf_hashes(tx, poll.id, tree)
    if batch:
        connection = await tx.session.connection()
        await connection.execute(
            insert(BoardLeaf),
            [
                {
                    "poll_id": poll.id,
                    "tree": tree,
                    "idx": idx,
                    "community_id": poll.community_id,
                    "leaf_hash": leaf,
                }
                for idx, leaf in enumerate(batch, len(hashes))
            ],
        )
    hashes += batch
    head = TreeHead(
        poll_id=poll.id,
        tree=tree,
        number=1 if last is None else last.number + 1,
        community_id=poll.community_id,
        size=len(hashes),
        root=merkle.root(hashes).hex(),
        prev=None if last is None else board.text_digest(signed_text(poll, last)),
        at=board.to_the_hour(tx.now),
        signature="",
    )
    head.signature = tx.board_key.sign(signed_text(poll, head))
    tx.session.add(head)
    await tx.session.flush()
    return head


def signed_text(poll: Poll, head: TreeHead) -> bytes:
    return board.head_text(
        poll_id=poll.id,
        manifest=poll.manifest_hash or "",
        tree=head.tree.value,
        number=head.number,
        size=head.size,
        root=head.root,
        prev=head.prev,
        at=head.at,
    )
