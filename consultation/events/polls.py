"""What happens to a poll, its ballots and count, and in its ledger: paper, roll, hands."""

from dataclasses import dataclass
from datetime import datetime

from consultation.events.event import PollEvent, PollStep


@dataclass(frozen=True, slots=True, kw_only=True)
class PollAnnounced(PollStep):
    """``served_min``: the share (x/y) of the roll that must be served before it opens, or null."""

    type = "poll.announced"
    opens_at: datetime
    closes_at: datetime
    text_hash: str
    served_min: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PollOpened(PollStep):
    type = "poll.opened"
    closes_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PollExtended(PollStep):
    type = "poll.extended"
    closes_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class PollClosed(PollStep):
    type = "poll.closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PollOpenerCame(PollEvent):
    """One of the three who open the box of a confidential poll has confirmed."""

    type = "poll.opener_came"
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PollBoxOpened(PollEvent):
    """The third confirmation opened the box; its ballots are counted, and not yet published."""

    type = "poll.box_opened"


@dataclass(frozen=True, slots=True, kw_only=True)
class PollBoxDestroyed(PollEvent):
    """Box key and envelopes are destroyed and the pages rewritten."""

    type = "poll.box_destroyed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PollSigned(PollEvent):
    """One more signature under the certificate of the count."""

    type = "poll.signed"
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PollRecountDue(PollEvent):
    """Other tellers count again before the result is published: it is close, or the supervisor
    asked for it."""

    type = "poll.recount_due"
    ordered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PollBallotsRead(PollEvent):
    """A teller or supervisor looked at named ballots after the close."""

    type = "poll.ballots_read"
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PollVotersServed(PollEvent):
    """How many of the roll have been told of the poll by now, as the ledger proves; never who."""

    type = "poll.voters_served"
    served: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PollUnservedRead(PollEvent):
    """Somebody on duty looked at who has not been told of the poll yet."""

    type = "poll.unserved_read"
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PollAddressesRead(PollEvent):
    """Somebody on duty looked for a home on the roll."""

    type = "poll.addresses_read"
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PollResultPublished(PollStep):
    type = "poll.result_published"
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PollVoided(PollStep):
    type = "poll.voided"


@dataclass(frozen=True, slots=True, kw_only=True)
class PollCorrectionOrdered(PollEvent):
    """The ledger does not give the stored count; two other tellers are to sign the one it gives."""

    type = "poll.correction_ordered"


@dataclass(frozen=True, slots=True, kw_only=True)
class PollCountCorrected(PollEvent):
    """The count anew took the place of the stored one; the certificate says why."""

    type = "poll.count_corrected"
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperFormsPrinted(PollEvent):
    """One more block of numbered forms."""

    type = "poll.paper_forms_printed"
    forms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RollObjectionMade(PollEvent):
    """Somebody objects to the roll; it is to be ruled by ``due_at``."""

    type = "poll.roll_objection_made"
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RollRulingOverdue(PollEvent):
    """An objection to the roll was to be ruled by ``due_at`` and is not."""

    type = "poll.roll_ruling_overdue"
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RollCorrected(PollEvent):
    """An objection was upheld: the roll has a new version."""

    type = "poll.roll_corrected"
    roll_version: int
    roll_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PollOutsideResultConfirmed(PollEvent):
    """The certified count of the legal system of record stands beside the indicative result."""

    type = "poll.outside_result_confirmed"
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PollHandsCounted(PollEvent):
    """A show of hands was counted at the meeting; what it showed stays in the box."""

    type = "poll.hands_counted"
    count_no: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PollPresenceFixed(PollEvent):
    """Who is present at a vote in a meeting was fixed; it is the base of the vote."""

    type = "poll.presence_fixed"
    present: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperFormsSettled(PollEvent):
    """What became of forms that did not become ballots is on record."""

    type = "poll.paper_forms_settled"
    forms: int
