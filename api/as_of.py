"""Where the stream of a thing stood when the thing was read."""

from api.wire import WireOut
from consultation.database import Transaction
from consultation.journal import Head, heads


class AsOf(WireOut):
    """The snapshot holds everything up to ``seq``, and may hold more. Apply what comes after it."""

    epoch: str
    seq: int


def as_of_head(head: Head | None) -> AsOf | None:
    """None before any relay has run."""
    return None if head is None else AsOf(epoch=head.epoch, seq=head.seq)


async def as_of(tx: Transaction, stream: str) -> AsOf | None:
    """In one statement, in the snapshot of the transaction."""
    found = await heads(tx.session, [stream])
    return None if found is None else as_of_head(found[stream])
