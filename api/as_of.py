"""Where the stream of a thing stood when the thing was read."""

from api.wire import WireOut
from consultation.database import Transaction
from consultation.journal import heads


class AsOf(WireOut):
    """The snapshot holds everything up to ``seq``, and may hold more. Apply what comes after it."""

    epoch: str
    seq: int


async def as_of(tx: Transaction, stream: str) -> AsOf | None:
    """In one statement, in the snapshot of the transaction; None before any relay has run."""
    found = await heads(tx.session, [stream])
    return None if found is None else AsOf(epoch=found[stream].epoch, seq=found[stream].seq)
