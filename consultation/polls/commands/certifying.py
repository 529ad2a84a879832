"""The certificate of a count: what two tellers and a supervisor signed, with the last heads of the
board, under the board key. A result that a recount changes gets another version."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlmodel import col, select

from consultation.community.tables import Person
from consultation.database import Transaction
from consultation.polls import board
from consultation.polls.board_queries import certificates
from consultation.polls.board_tables import PollCertificate
from consultation.polls.commands.recording import finish_board
from consultation.polls.extension_tables import PollExtension
from consultation.polls.leaves import canonical
from consultation.polls.manifest import voter_of
from consultation.polls.pack import public_result
from consultation.polls.queries import signatures
from consultation.polls.reconciliation import Reconciliation
from consultation.polls.reconciliation_queries import reconciliation_of
from consultation.polls.tables import CountSignature, Poll


async def certify(
    tx: Transaction,
    poll: Poll,
    *,
    signed: Sequence[CountSignature] | None = None,
    reason: str | None = None,
    report: Reconciliation | None = None,
) -> PollCertificate | None:
    """Certify the count that stands in ``poll.result``, with the signatures under it.

    The first time it is version 1. A later count, which a recount brought about and other people
    signed, is a new version that names the one it corrects and says why; the earlier one stays.
    The same count again changes nothing. None of a poll that was announced before there were
    manifests. ``signed`` are the signatures and ``report`` is the reconciliation of this
    transaction, if they are known.
    """
    assert poll.result is not None
    assert poll.result_digest is not None
    assert poll.closed_at is not None
    if poll.manifest_hash is None:
        return None
    before = await certificates(tx, poll.id)
    last = before[-1] if before else None
    if last is not None and last.result_digest == poll.result_digest:
        return last
    if last is not None and not reason:
        raise ValueError("a correction says why")
    heads = await finish_board(tx, poll)
    reconciliation = (report or await reconciliation_of(tx, poll)).model_dump(mode="json")
    result = poll.result.model_dump(mode="json")
    content = board.certificate_text(
        poll_id=poll.id,
        manifest=poll.manifest_hash,
        version=len(before) + 1,
        corrects=None if last is None else board.text_digest(last.content.encode()),
        reason=reason,
        result_digest=poll.result_digest,
        public_result=board.text_digest(
            canonical(public_result(result, mode=poll.mode, measures=poll.preset.measures))
        ),
        heads={
            tree.value: {"number": head.number, "size": head.size, "root": head.root}
            for tree, head in heads.items()
        },
        reconciliation=reconciliation,
        signatures=await _signed(tx, poll, signed or await signatures(tx, poll)),
        extension=await _extension(tx, poll),
        closed_at=poll.closed_at,
        certified_at=tx.now,
    )
    row = PollCertificate(
        poll_id=poll.id,
        version=len(before) + 1,
        community_id=poll.community_id,
        result=result,
        result_digest=poll.result_digest,
        reconciliation=reconciliation,
        content=content.decode(),
        signature=tx.board_key.sign(content),
        at=tx.now,
    )
    tx.session.add(row)
    await tx.session.flush()
    return row


async def _extension(tx: Transaction, poll: Poll) -> dict[str, str] | None:
    if not poll.extensions:
        return None
    moved = await tx.session.get_one(PollExtension, poll.id)
    return board.extension_line(old=moved.from_closes_at, new=moved.to_closes_at, at=moved.at)


async def _signed(
    tx: Transaction, poll: Poll, rows: Sequence[CountSignature]
) -> list[dict[str, Any]]:
    """Who signed: role, whether the second count, a pseudonym that tells people apart, the masked
    name and the hour."""
    rows = sorted(rows, key=lambda row: (row.at, row.person_id))
    names = await _masked_names(tx, [row.person_id for row in rows])
    secret = poll.roll_secret or b""
    return [
        {
            "role": row.role.value,
            "recount": row.recount,
            "signer": voter_of(secret, row.person_id),
            "name": names.get(row.person_id, ""),
            "result_digest": row.result_digest,
            "at": board.instant(row.at),
        }
        for row in rows
    ]


async def _masked_names(tx: Transaction, people: list[UUID]) -> dict[UUID, str]:
    rows = await tx.session.exec(
        select(Person.id, Person.masked_name).where(col(Person.id).in_(people))
    )
    return dict(rows.all())
