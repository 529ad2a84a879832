"""Open polls with rolls of any size, written straight into the tables."""

import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import insert

from api.bench.clients import put
from consultation.community.tables import Node, NodeKind, Person, Residence, ResidenceKind
from consultation.database import Database, Transaction
from consultation.ids import random_id
from consultation.polls.preset_files import presets
from consultation.polls.presets import BallotMode, RulePreset
from consultation.polls.rolls import Place, roll_digest
from consultation.polls.rules import PollItem, PollState
from consultation.polls.tables import TURNOUT_SHARDS, Poll, PollTurnout, RollEntry
from consultation.topics.states import Category, Layer, MatterList, State, Track
from consultation.topics.tables import Topic

PRESET = next(preset for preset in presets().values() if preset.id == "household_poll")
AT_ONCE = 5000
AREA_DM2 = 7420

Answers = tuple[tuple[int, tuple[str, ...]], ...]
FOR: Answers = ((1, ("for",)),)
BODY = b'{"answers":[{"item":1,"choices":["for"]}]}'
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class OpenPoll:
    """``voters`` and ``entries``, the ids of their places, in the order of the roll."""

    id: UUID
    topic_id: UUID
    voters: Sequence[UUID]
    entries: Sequence[UUID]


@dataclass(slots=True)
class Community:
    id: UUID
    people: list[UUID] = field(default_factory=list)


async def build_community(db: Database, people: int) -> Community:
    """A community with so many verified residents."""
    community = Community(random_id())
    async with db.begin() as tx:
        tx.session.add(
            Node(
                id=community.id,
                kind=NodeKind.COMMUNITY,
                path=f"/{community.id}/",
                code=community.id.hex[:12],
                name=f"测试社区{community.id.hex[:6]}",
                community_id=community.id,
                facts={},
            )
        )
        await tx.session.flush()
        community.people = [random_id() for _ in range(people)]
        await _add(
            tx,
            Person,
            [{"id": id, "masked_name": "王*", "created_at": tx.now} for id in community.people],
        )
        await _add(
            tx,
            Residence,
            [
                {
                    "id": random_id(),
                    "person_id": id,
                    "community_id": community.id,
                    "kind": ResidenceKind.OWNER,
                    "level": 2,
                    "created_at": tx.now,
                }
                for id in community.people
            ],
        )
    return community


async def open_polls(
    db: Database,
    community: Community,
    rolls: Sequence[Sequence[UUID]],
    *,
    preset: RulePreset = PRESET,
    open_for: timedelta = timedelta(days=5),
) -> list[OpenPoll]:
    """An open poll with a motion for each roll."""
    polls = [OpenPoll(random_id(), random_id(), r, [random_id() for _ in r]) for r in rolls]
    async with db.begin() as tx:
        now = tx.now
        clerk = community.people[0]
        for number, poll in enumerate(polls):
            topic = Topic(
                id=poll.topic_id,
                community_id=community.id,
                node_id=community.id,
                node_path=f"/{community.id}/",
                number=f"B-{poll.id.hex[:12]}",
                title=f"议题{number}",
                problem="老人上下楼难",
                wish="商量",
                place="3幢",
                affected=["业主"],
                author_id=clerk,
                state=State.VOTING,
                state_since=now,
                round=1,
                created_at=now,
                category=Category.VITAL_INTEREST_PROBLEM,
                layer=Layer.CONSULTATION,
                track=Track.COMMUNITY,
                matter_list=MatterList.SELF_GOVERNANCE,
                was_public=True,
            )
            tx.session.add(topic)
        await tx.session.flush()
        for poll in polls:
            tx.session.add(_poll(poll, community, preset, now, now + open_for))
        await tx.session.flush()
        await _add(tx, RollEntry, [row for poll in polls for row in _roll(poll, community)])
        await _add(tx, PollTurnout, [row for poll in polls for row in _counters(poll, community)])
    return polls


def _poll(poll: OpenPoll, community: Community, preset: RulePreset, now: Any, end: Any) -> Poll:
    return Poll(
        id=poll.id,
        community_id=community.id,
        topic_id=poll.topic_id,
        round=1,
        scope_node_id=community.id,
        scope_name="测试社区",
        question="是否同意",
        items=[PollItem(number=1, text="加装电梯")],
        preset=preset,
        mode=BallotMode.NAMED,
        state=PollState.OPEN,
        drafted_by_id=community.people[0],
        text_hash="0" * 64,
        roll_digest=roll_digest([_place(row) for row in _roll(poll, community)]),
        eligible_heads=len(poll.voters),
        eligible_area_dm2=len(poll.voters) * AREA_DM2,
        announced_at=now,
        opens_at=now,
        closes_at=end,
        drafted_at=now,
    )


def _place(row: dict[str, Any]) -> Place:
    return Place(
        number=row["number"],
        label=row["label"],
        person_id=row["person_id"],
        area_dm2=row["area_dm2"],
        units=tuple(row["units"]),
    )


def _roll(poll: OpenPoll, community: Community) -> list[dict[str, Any]]:
    return [
        {
            "id": entry,
            "community_id": community.id,
            "poll_id": poll.id,
            "roll_version": 1,
            "number": number,
            "person_id": voter,
            "label": "3幢 王*",
            "area_dm2": AREA_DM2,
            "units": [],
        }
        for number, (entry, voter) in enumerate(zip(poll.entries, poll.voters, strict=True), 1)
    ]


def _counters(poll: OpenPoll, community: Community) -> list[dict[str, Any]]:
    return [
        {
            "poll_id": poll.id,
            "shard": shard,
            "community_id": community.id,
            "heads": 0,
            "area_dm2": 0,
        }
        for shard in range(TURNOUT_SHARDS)
    ]


async def _add(tx: Transaction, table: type[Any], rows: Sequence[dict[str, Any]]) -> None:
    connection = await tx.session.connection()
    for start in range(0, len(rows), AT_ONCE):
        await connection.execute(insert(table), list(rows[start : start + AT_ONCE]))


class Votes:
    """Ballots nobody has cast yet, in an order that mixes polls and voters."""

    def __init__(self, polls: Sequence[OpenPoll], tokens: dict[UUID, str]) -> None:
        pairs = [(poll.id, voter) for poll in polls for voter in poll.voters]
        random.Random(64).shuffle(pairs)  # noqa: S311  the same order each time, on purpose
        self._pairs: Iterator[tuple[UUID, UUID]] = iter(pairs)
        self._tokens = tokens

    def take(self, count: int) -> list[tuple[UUID, UUID]]:
        taken = list(itertools.islice(self._pairs, count))
        assert len(taken) == count, "the rolls are too short"
        return taken

    def requests(self, pairs: Sequence[tuple[UUID, UUID]], body: bytes = BODY) -> list[bytes]:
        return [put(f"/v1/polls/{poll}/ballot", self._tokens[voter], body) for poll, voter in pairs]
