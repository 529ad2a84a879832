"""A poll 表决, its frozen roll 名册, its ballots 表决票 and the signatures under its count."""

from datetime import datetime
from enum import StrEnum
from secrets import token_bytes
from uuid import UUID

from sqlalchemy import JSON, Index, LargeBinary, UniqueConstraint, text
from sqlmodel import Field

from consultation.columns import (
    Row,
    ValueObject,
    choice,
    key,
    maybe_ref,
    maybe_text,
    maybe_value,
    maybe_when,
    ref,
    same,
    value,
    when,
)
from consultation.polls.counting import Result
from consultation.polls.presets import BallotChannel, BallotMode, RulePreset
from consultation.polls.rules import Candidate, Choices, PollItem, PollState, RolledUnit

TURNOUT_SHARDS = 16
SALT_BYTES = 16


def _salt() -> bytes:
    return token_bytes(SALT_BYTES)


class Poll(Row, table=True):
    """``candidates`` are the people behind the options of elections; nobody is shown them.
    ``legal_system_of_record`` is false where the law takes another system's count for the vote:
    the poll is indicative then. ``text_hash`` is SHA-256 of the announced question, items and
    preset. ``opens_at`` is inclusive, ``closes_at`` exclusive. ``manifest_hash`` is the digest of
    the manifest in force and ``roll_secret`` what pseudonyms on the roll are made with (null of a
    draft; once destroyed, nobody finds a person from a pseudonym). ``result_salt`` keeps the digest
    of the result from being tried out (null of polls announced before there were salts).
    ``eligible_*`` are sums of the frozen roll; ``present`` and ``result`` are null until the close.
    A round of a topic has one poll that is not voided."""

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
    candidates: list[Candidate] = Field(
        default_factory=list, sa_type=ValueObject(list[Candidate]), nullable=False
    )
    budget_fen: int | None = None
    preset: RulePreset = value(RulePreset)
    mode: BallotMode = choice(BallotMode)
    legal_system_of_record: bool = True
    silence_clause_id: UUID | None = maybe_ref("document.id")
    state: PollState = choice(PollState)
    drafted_by_id: UUID = ref("person.id", index=False)
    announced_by_id: UUID | None = maybe_ref("person.id")
    notice_id: UUID | None = maybe_ref("document.id")
    text_hash: str | None = Field(default=None, max_length=64)
    roll_version: int = 1
    roll_digest: str | None = Field(default=None, max_length=64)
    roll_secret: bytes | None = Field(default=None, sa_type=LargeBinary, nullable=True)
    result_salt: bytes | None = Field(default=None, sa_type=LargeBinary, nullable=True)
    manifest_hash: str | None = Field(default=None, max_length=64)
    registered_adults: int | None = None  # by the household register, of a roll of adults
    eligible_heads: int = 0
    eligible_area_dm2: int = 0
    announced_at: datetime | None = maybe_when()
    opens_at: datetime = when()
    closes_at: datetime = when()
    extensions: int = 0
    closed_at: datetime | None = maybe_when()
    recount_due_at: datetime | None = maybe_when()
    presence_fixed_at: datetime | None = maybe_when()  # votes in meetings: who was there
    present: int | None = None
    result: Result | None = maybe_value(Result)
    result_digest: str | None = Field(default=None, max_length=64)
    tally_sheet_id: UUID | None = maybe_ref("document.id")
    published_at: datetime | None = maybe_when()
    drafted_at: datetime = when()
    box_public_key: str | None = Field(default=None, max_length=64)  # hex, of confidential polls
    box_opened_at: datetime | None = maybe_when()
    envelopes_replaced: int | None = None  # what lay in the box beneath a later one of its voter
    box_destroyed_at: datetime | None = maybe_when()  # key and envelopes are gone


class RollEntry(Row, table=True):
    """One eligible voter of one poll, frozen. ``person_id`` is null where a household has named
    nobody yet: it counts in the base and cannot vote. ``units`` are the parts that make up the
    area, so that one owner of three homes is one head with three areas. The entries of the poll's
    present ``roll_version`` are its roll; an upheld objection makes a new version. ``salt`` hides
    the place in the root of the roll."""

    __table_args__ = (
        UniqueConstraint("poll_id", "roll_version", "number"),
        UniqueConstraint("person_id", "poll_id", "roll_version"),  # also finds a person's places
    )

    id: UUID = key()
    community_id: UUID = ref("node.id")
    poll_id: UUID = ref("poll.id", index=False)
    roll_version: int = 1
    number: int
    person_id: UUID | None = maybe_ref("person.id")
    household_id: UUID | None = maybe_ref("household.id")
    label: str = Field(max_length=60)  # masked: 3幢 王*
    grid_id: UUID | None = maybe_ref("node.id")  # whose grid worker knocks at the door
    area_dm2: int = 0
    units: list[RolledUnit] = value(list[RolledUnit])
    salt: bytes = Field(
        default_factory=_salt,
        sa_type=LargeBinary,
        nullable=False,
        sa_column_kwargs={"default": _salt},  # also for rows that are inserted in bulk
    )


class Ballot(Row, table=True):
    """One cast of one voter in a ``named`` poll, never changed. The primary key refuses a second
    cast number 1; where the preset lets a later cast stand (``precedence``) it is the next
    number. Of a voter's casts the last that was not set aside stands. ``choices`` is null of an
    invalid ballot. Staff who entered it are named, with how the voter agreed (``consent_note``).
    ``leaf_hash`` and ``salt`` put it on the board (``polls/leaves.py``). The index holds the few
    invalid ones, which turnout may leave out (``queries.participation``). That the place is on the
    roll of the poll is for a guard to see (``append_only``): a foreign key locks the place."""

    __table_args__ = (
        Index(
            "ix_ballot_invalid",
            "poll_id",
            sqlite_where=text("choices IS NULL"),
            postgresql_where=text("choices IS NULL"),
        ),
    )

    poll_id: UUID = key()
    roll_entry_id: UUID = key()
    cast_no: int = Field(default=1, primary_key=True)
    community_id: UUID = same()
    choices: Choices | None = Field(default=None, sa_type=JSON(none_as_null=True))
    channel: BallotChannel = choice(BallotChannel)
    set_aside: bool = False
    entered_by_id: UUID | None = maybe_ref("person.id")
    consent_note: str | None = maybe_text()
    salt: bytes = Field(sa_type=LargeBinary, nullable=False)
    leaf_hash: bytes = Field(sa_type=LargeBinary, nullable=False)
    cast_at: datetime = when()

    @property
    def receipt(self) -> str:
        return self.leaf_hash.hex()


class PollTurnout(Row, table=True):
    """How many cast a ballot so far, valid or not, and how many were told of the poll, in sixteen
    counters of which each voter moves one: reading them costs the same for ten ballots and for a
    million, and voters do not wait for one another."""

    poll_id: UUID = ref("poll.id", primary_key=True)
    shard: int = Field(primary_key=True)
    community_id: UUID = ref("node.id", index=False)
    heads: int = 0
    area_dm2: int = 0
    served: int = 0  # places on the roll with a first proof of notice


class ShownTurnout(Row, table=True):
    """The turnout that is shown of an open poll where it moves in steps (``polls/disclosure``)."""

    poll_id: UUID = ref("poll.id", primary_key=True)
    community_id: UUID = ref("node.id", index=False)
    heads: int = 0
    area_dm2: int = 0


class SignerRole(StrEnum):
    TELLER = "teller"
    SUPERVISOR = "supervisor"


class CountSignature(Row, table=True):
    """Two tellers and a supervisor sign the digest of the result before it is published; two other
    tellers (``recount``) where it is counted again."""

    poll_id: UUID = ref("poll.id", primary_key=True)
    person_id: UUID = ref("person.id", primary_key=True)
    community_id: UUID = ref("node.id")
    role: SignerRole = choice(SignerRole)
    result_digest: str = Field(max_length=64)
    recount: bool = False
    at: datetime = when()
