"""THE CONSENT OF WHOSE PART IS USED 占用专有部分的同意. No I/O.

A vote binds owners in what they own together; over an exclusive part its owner alone decides (Civil
Code art. 272). Where a preset says so (``Condition.CONSENT_OF_USED_PARTS``), it is written down
before work begins which parts are used and how, and every owner of each has agreed in writing; a
data message is writing (art. 469). An answer is to the words the owner was shown: other words ask
anew. Until work begins everybody may change their mind, and the plan may do without a part.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from uuid import UUID

from pydantic import Field

from consultation.outcomes.rules import Frozen
from consultation.refusals import Invalid, NotNow, NotPermitted
from consultation.topics.states import State

WHILE = frozenset(
    {State.OUTCOME_PUBLIC, State.ADOPTION_PENDING, State.ADOPTED, State.PARTIALLY_ADOPTED}
)
"""When parts are declared and owners answer: after the vote, before work begins."""


class UsedPart(Frozen):
    """An exclusive part that the work uses; ``use`` says how, in the words its owners agree to."""

    unit_id: UUID
    use: str = Field(min_length=1, max_length=400)

    @property
    def digest(self) -> str:
        """SHA-256 over the unit and the words: what an owner agrees to."""
        content = json.dumps([str(self.unit_id), self.use], ensure_ascii=False)
        return hashlib.sha256(content.encode()).hexdigest()


class ConsentNotAsked(NotNow):
    """What was voted on asks for no consent besides the vote."""

    code = "consent-not-asked"


class ConsentSettled(NotNow):
    """There is nothing to do yet, or work has begun."""

    code = "consent-settled"


class PartUnknown(Invalid):
    """The register of the community knows no such part, or not who owns it, or it is named twice;
    ``parts`` says which."""

    code = "part-unknown"


class NotOwnerOfPart(NotPermitted):
    """Only an owner of a part that is used agrees to its use."""

    code = "not-owner-of-part"


class UseChanged(Invalid):
    """Meanwhile something else is to be agreed to: read it again."""

    code = "use-changed"


def check_asked(state: State, *, asked: bool) -> None:
    if not asked:
        raise ConsentNotAsked()
    if state not in WHILE:
        raise ConsentSettled(state=state.value)


def check_parts(wanted: Sequence[str], owners: Mapping[str, Sequence[UUID]]) -> None:
    """``wanted``: codes of units; ``owners``: by code, those of the register."""
    wrong = sorted({code for code in wanted if not owners.get(code) or wanted.count(code) > 1})
    if wrong:
        raise PartUnknown(parts=wrong)


def missing_consents(
    parts: Sequence[UsedPart],
    owners: Mapping[UUID, Sequence[UUID]],
    answers: Mapping[tuple[str, UUID], bool],
) -> int:
    """How many consents work still waits for. ``owners`` by unit, as the register has them now: who
    bought meanwhile must agree too. ``answers`` by digest of the part and owner, the last ones. A
    part without owners waits for one."""
    return sum(
        sum(not answers.get((part.digest, owner), False) for owner in owners.get(part.unit_id, ()))
        if owners.get(part.unit_id)
        else 1
        for part in parts
    )
