"""THE PROOF OF NOTICE 送达记录: how a voter may be told of a poll, and what proves it. No I/O.

Domain 4.4: for each eligible voter the channel, the time and the evidence. A message that was
taken over by WeChat or by an SMS provider, and a notice that the voter's own phone fetched, count
as served; a message merely put into an inbox does not.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from consultation.permissions import Grant
from consultation.polls.rules import PollState
from consultation.refusals import Invalid, NotNow, NotPermitted


class NoticeChannel(StrEnum):
    LIVE = "live"  # fetched by the voter's own phone, not opened yet
    IN_APP = "in_app"  # opened there
    WECHAT = "wechat"
    SMS = "sms"
    PRINTED = "printed"  # the printed notice was handed over
    DOORSTEP = "doorstep"  # told at the door
    TELEPHONE = "telephone"


class NoticeEvidence(StrEnum):
    FETCHED = "fetched"
    READ = "read"
    ACCEPTED = "accepted"  # by the provider of the channel
    SIGNED_FOR = "signed_for"
    TOLD = "told"  # in person or on the telephone, says who told
    LEFT = "left"  # left at the home in the presence of a witness


BY_STAFF: dict[NoticeChannel, frozenset[NoticeEvidence]] = {
    NoticeChannel.PRINTED: frozenset({NoticeEvidence.SIGNED_FOR, NoticeEvidence.LEFT}),
    NoticeChannel.DOORSTEP: frozenset({NoticeEvidence.SIGNED_FOR, NoticeEvidence.TOLD}),
    NoticeChannel.TELEPHONE: frozenset({NoticeEvidence.TOLD}),
}
"""What a person may enter. The rest the system records from what it sent and what was fetched."""


class PollNotBeingServed(NotNow):
    """Notice is given from the announcement to the close."""

    code = "poll-not-being-served"


class EvidenceUnfit(Invalid):
    """That channel is not entered by hand, or not proved in that way."""

    code = "evidence-unfit"


class VoterOutsideGrid(NotPermitted):
    """A grid worker serves and reads the own grid."""

    code = "voter-outside-grid"


@dataclass(frozen=True, slots=True)
class Proof:
    """That a person was told of a poll (null: whoever lives where the register names nobody).
    ``reference`` leads to the message or the paper;
    ``recorded_by_id`` is who was there, null for what the system sent or saw."""

    poll_id: UUID
    person_id: UUID | None
    channel: NoticeChannel
    at: datetime
    evidence: NoticeEvidence
    reference: str
    recorded_by_id: UUID | None = None


BEING_SERVED = frozenset({PollState.ANNOUNCED, PollState.OPEN})


def check_serving(state: PollState, closes_at: datetime, now: datetime) -> None:
    if state not in BEING_SERVED or now >= closes_at:
        raise PollNotBeingServed(state=state.value)


def check_entered(channel: NoticeChannel, evidence: NoticeEvidence) -> None:
    if evidence not in BY_STAFF.get(channel, frozenset()):
        raise EvidenceUnfit(channel=channel.value, evidence=evidence.value)


def check_grid(grant: Grant, own: UUID | None, grid: UUID | None) -> None:
    """Who may do the deed in the own grid only, does it there."""
    if grant is Grant.OWN and (grid is None or grid != own):
        raise VoterOutsideGrid()
