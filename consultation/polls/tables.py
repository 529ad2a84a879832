"""A poll 表决, its frozen roll 名册, its ballots 表决票 and the signatures under its count."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import JSON, Index, UniqueConstraint, text
from sqlmodel import Field

from consultation.columns import (
    Row,
    choice,
    key,
    maybe_ref,
    maybe_text,
    maybe_value,
    maybe_when,
    ref,
    value,
    when,
)
from consultation.polls.counting import Result
from consultation.polls.presets import RulePreset
from consultation.polls.rules import BallotChannel, PollItem, PollState, RolledUnit

TURNOUT_SHARDS = 16


class Poll(Row, table=True):
    """``text_hash`` is SHA-256 of the announced question, items and preset. ``opens_at`` is
    inclusive, ``closes_at`` exclusive. ``eligible_*`` are sums of the frozen roll; ``present`` and
    ``result`` are null until the close. A round of a topic has one poll that is not voided."""

    __table_args__ = (
        Index(
            "uq_poll_topic_id_round",
            "topic_id",
            "round",
            unique=True,
            sqlite_where=text("state <> 'voided'"),
            postgresql_where=text("state <> 'voided'"),
        ),
    )

    id: UUID = key()
    community_id: UUID = ref("node.id")
    topic_id: UUID = ref("topic.id")
    round: int
    scope_node_id: UUID = ref("node.id")
    scope_name: str = Field(max_length=200)  # 桐荫苑3幢2单元, as announced
    meeting_id: UUID | None = maybe_ref("meeting.id")
    question: str = Field(max_length=400)
    items: list[PollItem] = value(list[PollItem])
    budget_fen: int | None = None
    preset: RulePreset = value(RulePreset)
    state: PollState = choice(PollState)
    drafted_by_id: UUID = ref("person.id", index=False)
    announced_by_id: UUID | None = maybe_ref("person.id")
    notice_id: UUID | None = maybe_ref("document.id")
    text_hash: str | None = Field(default=None, max_length=64)
    roll_digest: str | None = Field(default=None, max_length=64)
    eligible_heads: int = 0
    eligible_area_dm2: int = 0
    announced_at: datetime | None = maybe_when()
    opens_at: datetime = when()
    closes_at: datetime = when()
    extensions: int = 0
    closed_at: datetime | None = maybe_when()
    present: int | None = None
    result: Result | None = maybe_value(Result)
    result_digest: str | None = Field(default=None, max_length=64)
    tally_sheet_id: UUID | None = maybe_ref("document.id")
    published_at: datetime | None = maybe_when()
    drafted_at: datetime = when()


class RollEntry(Row, table=True):
    """One eligible voter of one poll, frozen. ``person_id`` is null where a household has named
    nobody yet: it counts in the base and cannot vote. ``units`` are the parts that make up the
    area, so that one owner of three homes is one head with three areas."""

    __table_args__ = (
        UniqueConstraint("poll_id", "number"),
        UniqueConstraint("poll_id", "person_id"),
    )

    id: UUID = key()
    community_id: UUID = ref("node.id")
    poll_id: UUID = ref("poll.id")
    number: int
    person_id: UUID | None = maybe_ref("person.id", index=True)
    household_id: UUID | None = maybe_ref("household.id")
    label: str = Field(max_length=60)  # masked: 3幢 王*
    grid_id: UUID | None = maybe_ref("node.id")  # whose grid worker knocks at the door
    area_dm2: int = 0
    units: list[RolledUnit] = value(list[RolledUnit])


class Ballot(Row, table=True):
    """One voter's ballot in one poll. The primary key refuses the second one. Staff who entered it
    are named, with how the voter agreed (``consent_note``)."""

    poll_id: UUID = ref("poll.id", primary_key=True)
    roll_entry_id: UUID = ref("roll_entry.id", primary_key=True)
    community_id: UUID = ref("node.id")
    choices: dict[str, str] = Field(sa_type=JSON, nullable=False)  # item number → choice
    channel: BallotChannel = choice(BallotChannel)
    entered_by_id: UUID | None = maybe_ref("person.id")
    consent_note: str | None = maybe_text()
    receipt: str = Field(max_length=32)
    cast_at: datetime = when()


class PollTurnout(Row, table=True):
    """How many took part so far and how many were told of the poll, in sixteen counters of which
    each ballot moves one: reading them costs the same for ten ballots and for a million, and voters
    do not wait for one another."""

    poll_id: UUID = ref("poll.id", primary_key=True)
    shard: int = Field(primary_key=True)
    community_id: UUID = ref("node.id", index=False)
    heads: int = 0
    area_dm2: int = 0
    served: int = 0  # places on the roll with a first proof of notice


class SignerRole(StrEnum):
    TELLER = "teller"
    SUPERVISOR = "supervisor"


class CountSignature(Row, table=True):
    """Two tellers and a supervisor sign the digest of the result before it is published."""

    poll_id: UUID = ref("poll.id", primary_key=True)
    person_id: UUID = ref("person.id", primary_key=True)
    community_id: UUID = ref("node.id")
    role: SignerRole = choice(SignerRole)
    result_digest: str = Field(max_length=64)
    at: datetime = when()
