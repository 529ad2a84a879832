"""What may be done to a pack: each mutation by name, on the kind of poll that it needs, with the
check that has to notice it; a file for each part of a pack. Checksums are always fixed up
afterwards, unless the mutation is about them; ``remake`` is the operator's own forgery, with the
board's key."""

from api.bench.mutations.ballots import BALLOTS
from api.bench.mutations.board import BOARD
from api.bench.mutations.certificate import CERTIFICATE
from api.bench.mutations.files import FILES
from api.bench.mutations.manifest import MANIFEST
from api.bench.mutations.mutation import Mutation
from api.bench.mutations.public import PUBLIC
from api.bench.mutations.reconciliation import RECONCILIATION
from api.bench.mutations.result import RESULT
from api.bench.mutations.roll import ROLL
from api.bench.mutations.sealed import SEALED
from api.bench.mutations.times import TIMES

__all__ = ["MUTATIONS", "Mutation"]

MUTATIONS: tuple[Mutation, ...] = (
    *FILES,
    *MANIFEST,
    *ROLL,
    *BALLOTS,
    *SEALED,
    *BOARD,
    *RESULT,
    *RECONCILIATION,
    *CERTIFICATE,
    *TIMES,
    *PUBLIC,
)
