"""The ledger of notices 送达记录: who on a roll was told of the poll, and what proves it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import UniqueConstraint
from sqlmodel import Field

from consultation.columns import Row, choice, key, maybe_ref, ref, when
from consultation.polls.serving import NoticeChannel, NoticeEvidence


class VoterNotice(Row, table=True):
    """One proof that a voter was told, append-only; at most one that stands per channel: ``take``
    counts those before it that were retracted. ``reference`` names the notice, the message or the
    paper, and holds no name. ``recorded_by_id`` is null for what the system itself sent or saw
    fetched."""

    __table_args__ = (UniqueConstraint("poll_id", "roll_entry_id", "channel", "take"),)

    id: UUID = key()
    community_id: UUID = ref("node.id")
    poll_id: UUID = ref("poll.id", index=False)
    roll_entry_id: UUID = ref("roll_entry.id")
    channel: NoticeChannel = choice(NoticeChannel)
    take: int = 0
    at: datetime = when()
    evidence: NoticeEvidence = choice(NoticeEvidence)
    reference: str = Field(max_length=200)
    recorded_by_id: UUID | None = maybe_ref("person.id")


class VoterNoticeRetraction(Row, table=True):
    """A proof that proved nothing: its provider said later that the message did not arrive.
    Append-only, as the proof is, which stays to be seen. ``reason`` is a code."""

    notice_id: UUID = ref("voter_notice.id", primary_key=True)
    community_id: UUID = ref("node.id")
    at: datetime = when()
    reason: str = Field(max_length=60)
