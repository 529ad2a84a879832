"""Two communities, phones of residents and of staff in their roles, who subscribe to anything at
random, and many events: nobody ever gets a frame of what is not theirs (trust T02). Who may follow
a stream is written down here when the stream is made, and asked of nobody.
``MINYI_LIVE_EVENTS=100000`` sends so many and prints how many frames came and how many of them
were foreign."""

import os
import random
import sys
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlmodel import col, select

from consultation.community.tables import Residence, ResidenceKind, RoleAssignment
from consultation.database import Database
from consultation.events.community import RegisterImported
from consultation.events.event import Event
from consultation.events.people import UserNotified
from consultation.events.polls import PollSigned
from consultation.events.streams import community_stream, poll_stream, topic_stream, user_stream
from consultation.events.topics import DeliberationExtended, TopicCosigned
from consultation.journal import JournalEntry
from consultation.permissions import Role
from consultation.polls.rules import PollState
from consultation.topics.states import State
from consultation.topics.tables import Topic
from tests.live import Phone, Start, Town, phone
from tests.notifications.test_streams import a_poll
from tests.world import LONG_AGO, World, a_topic

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

EVENTS = int(os.environ.get("MINYI_LIVE_EVENTS", "3000"))
BATCH = 250

OURS, THEIRS = "community", "other"
RESIDENTS = {OURS: ("resident1", "resident2", "resident3"), THEIRS: ("neighbour", "visitor")}
STAFF = {OURS: "clerk", THEIRS: "teller1"}
IN_ROLE = {f"{name} in role": name for name in STAFF.values()}
"""The same people once more, on a phone under their role."""
PHONES = (*RESIDENTS[OURS], *RESIDENTS[THEIRS], *STAFF.values(), *IN_ROLE)
EVERYBODY = frozenset(PHONES)


@dataclass(frozen=True)
class Stream:
    """``of`` is the community that owns it, ``readers`` who may follow it."""

    id: str
    of: str
    readers: frozenset[str]
    subject: UUID
    topic_id: UUID | None = None

    def event(self, n: int, community_id: UUID, rng: random.Random) -> Event:
        match self.id.partition(":")[0]:
            case "community":
                return RegisterImported(community_id=self.subject, kind="test", rows=n)
            case "user":
                return UserNotified(
                    community_id=None,
                    person_id=self.subject,
                    about="x",
                    topic_id=None,
                    subject_id=None,
                )
            case "poll":
                assert self.topic_id is not None
                return PollSigned(
                    community_id=community_id,
                    topic_id=self.topic_id,
                    poll_id=self.subject,
                    role="teller",
                )
        if self.readers == EVERYBODY and rng.random() < 0.3:
            return DeliberationExtended(
                community_id=community_id, topic_id=self.subject, ends_on=date(2026, 5, 1)
            )
        return TopicCosigned(community_id=None, topic_id=self.subject, co_signers=n)


async def people_of(db: Database, world: World) -> None:
    """The other community has residents and staff of its own."""
    other = world.nodes[THEIRS]
    async with db.begin() as tx:
        tx.session.add(
            Residence(
                id=uuid4(),
                person_id=world.id("visitor"),
                community_id=other.id,
                kind=ResidenceKind.OWNER,
                level=2,
                method="register",
                created_at=LONG_AGO,
            )
        )
        row = world.assignments[STAFF[THEIRS], Role.CLERK] = RoleAssignment(
            id=uuid4(),
            community_id=other.id,
            person_id=world.id(STAFF[THEIRS]),
            role=Role.CLERK,
            org_id=world.orgs["subdistrict_office"].id,
            node_id=other.id,
            node_path=other.path,
            valid_from=LONG_AGO,
            basis="test",
        )
        tx.session.add(row)


async def topic_of(db: Database, world: World, of: str, **more: Any) -> Topic:
    place = world.nodes["entrance" if of == OURS else of]
    return await a_topic(
        db, world, community_id=world.nodes[of].id, node_id=place.id, node_path=place.path, **more
    )


async def streams_of(db: Database, world: World) -> list[Stream]:
    """Everything there is to follow in both communities, public and not."""
    found: list[Stream] = []
    for name in {*RESIDENTS[OURS], *RESIDENTS[THEIRS], *STAFF.values()}:
        own = frozenset(one for one in PHONES if IN_ROLE.get(one, one) == name)
        of = OURS if name in (*RESIDENTS[OURS], STAFF[OURS]) else THEIRS
        found.append(Stream(user_stream(world.id(name)), of, own, world.id(name)))
    for of in (OURS, THEIRS):
        node = world.nodes[of]
        found.append(Stream(community_stream(node.id), of, EVERYBODY, node.id))
        staff = frozenset({f"{STAFF[of]} in role"})
        residents = frozenset(RESIDENTS[of])
        for author in RESIDENTS[of][:2]:
            for state, open_to_cosign, readers in (
                (State.DRAFT, False, frozenset({author})),
                (State.SUBMITTED, False, staff | {author}),
                (State.SUBMITTED, True, staff | residents),
                (State.DELIBERATING, False, EVERYBODY),
            ):
                topic = await topic_of(
                    db, world, of, author=author, state=state, open_to_cosign=open_to_cosign
                )
                found.append(Stream(topic_stream(topic.id), of, readers, topic.id))
        for state, readers in (
            (PollState.DRAFT, staff),
            (PollState.ANNOUNCED, EVERYBODY),
            (PollState.OPEN, EVERYBODY),
        ):
            topic = await topic_of(db, world, of, author=RESIDENTS[of][0], state=State.VOTING)
            poll = await a_poll(db, world, topic, state)
            found.append(Stream(poll_stream(poll.id), of, readers, poll.id, topic.id))
            found.append(Stream(topic_stream(topic.id), of, EVERYBODY, topic.id))
    return found


def unhurried(url: str) -> AbstractAsyncContextManager[Phone]:
    """What comes while the test does something else waits with the phone, however much it is."""
    return phone(url, max_queue=None)


def role_of(world: World, name: str) -> dict[str, str]:
    if name not in IN_ROLE:
        return {}
    return {"role": str(world.assignments[IN_ROLE[name], Role.CLERK].id)}


async def journalled(town: Town, after: int) -> tuple[int, dict[str, set[str]]]:
    """The last entry, and the ids of events by stream since another; with what people were told
    of them. All of it was published."""
    await town.services.relay.drain()
    found: dict[str, set[str]] = {}
    async with town.services.db.read() as tx:
        rows = await tx.session.exec(
            select(JournalEntry.id, JournalEntry.stream, JournalEntry.event_id).where(
                col(JournalEntry.id) > after
            )
        )
        for id, stream, event_id in rows:
            after = max(after, id or 0)
            found.setdefault(stream, set()).add(str(event_id))
    return after, found


async def test_nobody_gets_a_frame_of_what_is_not_theirs(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = random.Random(20261125)
    async with start(access_token_seconds=36000, run_relay=False) as town:
        db, world = town.services.db, town.world
        await people_of(db, world)
        streams = await streams_of(db, world)
        await town.services.relay.drain()  # opens the log
        ids = [stream.id for stream in streams]
        readers = {stream.id: stream.readers for stream in streams}
        assert len(readers) == len(ids)
        for of in (OURS, THEIRS):  # each has what only it may follow, of every kind
            hidden = [one for one in streams if one.of == of and one.readers != EVERYBODY]
            assert {one.id.partition(":")[0] for one in hidden} == {"user", "topic", "poll"}
            assert {IN_ROLE.get(name) for one in hidden for name in one.readers} >= {STAFF[of]}
        came, foreign, missing, refused = 0, 0, 0, 0
        sent, last = 0, 0
        while sent < EVENTS:
            batches = min(4, -(-(EVENTS - sent) // BATCH))
            async with AsyncExitStack() as stack:
                phones = {n: await stack.enter_async_context(unhurried(town.url)) for n in PHONES}
                asked: dict[str, set[str]] = {}
                for name, one in phones.items():
                    asked[name] = set(rng.sample(ids, rng.randrange(1, len(ids))))
                    token = town.token(IN_ROLE.get(name, name))
                    cursors = [{"id": id} for id in asked[name]]
                    welcome = await one.hello(token, *cursors, **role_of(world, name))
                    followed = {s["id"] for s in welcome["streams"] if s["head_seq"] is not None}
                    wanted = {id for id in asked[name] if name in readers[id]}
                    foreign += len(followed - wanted)
                    missing += len(wanted - followed)
                    refused += len(asked[name] - wanted)
                    assert (foreign, missing) == (0, 0), name
                emitted = dict.fromkeys(ids, 0)
                for _ in range(batches):
                    async with db.begin() as tx:
                        for n in range(BATCH):
                            stream = rng.choice(streams)
                            event = stream.event(n, world.nodes[stream.of].id, rng)
                            for name in event.streams():
                                emitted[name] += 1
                            tx.emit(event)
                    sent += BATCH
                last, happened = await journalled(town, last)
                for id in ids:
                    assert len(happened.get(id, ())) >= emitted[id], id
                for name, one in phones.items():
                    follows = {id for id in asked[name] if name in readers[id]}
                    wanted = {(id, event) for id in follows for event in happened.get(id, ())}
                    await one.say(type="ping", t=1)  # answered after all that was published
                    await one.control("pong")
                    got = [(event["stream"], event["id"]) for event in one.events]
                    came += len(got)
                    foreign += sum(stream not in follows for stream, _ in [*got, *one.volatile])
                    foreign += len(set(got) - wanted)
                    missing += len(wanted - set(got))
                    assert len(got) == len(set(got)), "doubled"
    if "MINYI_LIVE_EVENTS" in os.environ:
        with capsys.disabled():
            sys.stdout.write(
                f"\n{sent} events, {came} frames, {foreign} foreign, {missing} missing, "
                f"{refused} streams refused\n"
            )
    assert (foreign, missing) == (0, 0)
    assert came > sent // 4
    assert refused > 0
