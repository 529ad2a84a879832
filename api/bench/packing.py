"""``minyi bench pack``: an owners' poll of 5,000 ballots, from its close to a pack that the
verifier takes. The database is a fresh SQLite file; manifest, casts, batches, count, certificate
and pack are those of the product."""

import random
import subprocess
import sys
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from pydantic import SecretStr
from sqlalchemy import insert

from api.app import build_database
from api.bench.report import Report
from api.evidence import VERIFIER, write_files
from api.migrations import runner
from api.settings import Settings
from consultation.community.tables import Node, NodeKind, Person
from consultation.database import Database
from consultation.ids import random_id
from consultation.permissions import SYSTEM
from consultation.polls import board, rules
from consultation.polls.box import Cast, put_in
from consultation.polls.commands import certifying, closing, packing, recording
from consultation.polls.pack import Edition
from consultation.polls.preset_files import presets
from consultation.polls.presets import BallotChannel, BallotMode
from consultation.polls.queries import frozen_roll, place_of
from consultation.polls.rolls import Place, roll_digest
from consultation.polls.rules import PollItem, PollState
from consultation.polls.tables import (
    TURNOUT_SHARDS,
    CountSignature,
    Poll,
    PollTurnout,
    RollEntry,
    SignerRole,
)
from consultation.topics.states import Layer, State
from consultation.topics.tables import Topic

PRESET = "civil278_general"
OPENS = datetime.fromisoformat("2026-06-09T16:00:00+00:00")
CLOSES = OPENS + timedelta(days=7)
CHUNK = 500


class Clock:
    def __init__(self) -> None:
        self.now = OPENS - timedelta(days=20)

    def __call__(self) -> datetime:
        return self.now


async def run(runs: int, ballots: int) -> Report:
    report = Report(bench="pack", runs=runs)
    for number in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            await _turn(report, Path(folder), ballots, seed=number)
    per_ballot = report.median("verify", "ms_per_ballot")
    report.at_most("verify, ms a ballot", per_ballot, 1.0)
    report.figures["ballots"] = ballots
    return report


async def _turn(report: Report, folder: Path, ballots: int, *, seed: int) -> None:
    clock = Clock()
    settings = Settings(
        database_url=f"sqlite+aiosqlite:///{folder}/bench.sqlite3",
        field_secret=SecretStr("-" * 32),
        token_key=SecretStr("11" * 32),
        board_key=SecretStr("22" * 32),
    )
    await runner.upgrade(settings.database_url)
    db = build_database(settings, clock=clock)
    try:
        poll_id = await _announced(db, ballots, seed)
        await _vote(db, clock, poll_id, seed)
        clock.now = CLOSES
        began = time.perf_counter()
        async with db.begin(SYSTEM) as tx:
            await closing.close_poll(tx, poll_id)
        counted = time.perf_counter()
        async with db.begin(SYSTEM) as tx:
            await recording.put_on_board(tx, poll_id)
        boarded = time.perf_counter()
        await _certified(db, poll_id)
        async with db.begin(SYSTEM) as tx:
            files = await packing.make_pack(tx, poll_id, Edition.FULL)
        packed = time.perf_counter()
        async with db.begin(SYSTEM) as tx:
            again = await packing.make_pack(tx, poll_id, Edition.FULL)
        if again != files:
            raise RuntimeError("the same poll made two different packs")
    finally:
        await db.dispose()
    write_files(folder / "pack", files)
    code = board.text_digest(files["manifest.json"])[:16]
    start = time.perf_counter()
    done = subprocess.run(  # noqa: ASYNC221, S603
        [sys.executable, "-I", str(VERIFIER), str(folder / "pack"), "--notice", code, "--json"],
        capture_output=True,
        check=False,
    )
    verified = time.perf_counter()
    if done.returncode != 0:
        raise RuntimeError(f"the verifier refused an honest pack: {done.stdout.decode()}")
    report.note(
        "close",
        tally_ms=(counted - began) * 1000,
        board_ms=(boarded - counted) * 1000,
        certificate_and_pack_ms=(packed - boarded) * 1000,
        ms_per_ballot=(packed - began) * 1000 / ballots,
    )
    report.note(
        "verify", seconds=verified - start, ms_per_ballot=(verified - start) * 1000 / ballots
    )
    report.note("pack", bytes=sum(map(len, files.values())))


async def _announced(db: Database, ballots: int, seed: int) -> UUID:
    """A poll with its frozen roll and manifest; one owner in fifty has nobody to vote for them."""
    luck = random.Random(seed)  # noqa: S311
    preset = next(one for one in presets().values() if one.id == PRESET)
    async with db.begin(SYSTEM) as tx:
        now, community, estate = tx.now, random_id(), random_id()
        above = Node(id=community, community_id=community, kind=NodeKind.COMMUNITY,
                     path=f"/{community}/", code="bench", name="测速社区", facts={})  # fmt: skip
        place = Node(id=estate, community_id=community, parent_id=community, kind=NodeKind.ESTATE,
                     path=f"/{community}/{estate}/", code="bench-1", name="测速苑",
                     facts={})  # fmt: skip
        people = [random_id() for _ in range(ballots)]
        tx.session.add(above)
        await tx.session.flush()
        tx.session.add(place)
        connection = await tx.session.connection()
        await connection.execute(
            insert(Person), [{"id": id, "masked_name": "王*", "created_at": now} for id in people]
        )
        topic = Topic(
            id=random_id(), community_id=community, node_id=estate, node_path=place.path,
            number="2026-001", title="物业服务费", problem="费", wish="议", place="测速苑",
            affected=[], author_id=people[0], state=State.VOTING, state_since=now,
            layer=Layer.OWNERS, was_public=True, created_at=now,
        )  # fmt: skip
        tx.session.add(topic)
        await tx.session.flush()
        roll = [
            Place(
                number=number,
                label=f"{number}室 王*",
                person_id=people[number - 1] if number <= ballots else None,
                area_dm2=luck.randrange(4000, 18000),
            )
            for number in range(1, ballots + ballots // 50 + 1)
        ]
        poll = Poll(
            id=random_id(), community_id=community, topic_id=topic.id, round=1,
            scope_node_id=estate, scope_name="测速苑", question="物业服务费是否调整",
            items=[PollItem(number=1, text="调整"), PollItem(number=2, text="续聘")],
            preset=preset, mode=BallotMode.NAMED, state=PollState.ANNOUNCED,
            drafted_by_id=people[0], opens_at=OPENS, closes_at=CLOSES, announced_at=now,
            drafted_at=now, eligible_heads=len(roll),
            eligible_area_dm2=sum(one.area_dm2 for one in roll), roll_digest=roll_digest(roll),
        )  # fmt: skip
        poll.text_hash = rules.text_hash(poll)
        tx.session.add(poll)
        await tx.session.flush()
        await connection.execute(
            insert(RollEntry),
            [
                {"id": random_id(), "community_id": community, "poll_id": poll.id,
                 "roll_version": 1, "number": one.number, "person_id": one.person_id,
                 "label": one.label, "area_dm2": one.area_dm2, "units": []}
                for one in roll
            ],
        )  # fmt: skip
        for shard in range(TURNOUT_SHARDS):
            tx.session.add(PollTurnout(poll_id=poll.id, shard=shard, community_id=community))
        await recording.fix_manifest(tx, poll)
        poll.state = PollState.OPEN
    return poll.id


async def _vote(db: Database, clock: Clock, poll_id: UUID, seed: int) -> None:
    """Everybody votes, in chunks over the days, with the rounds of batches between them."""
    luck = random.Random(seed)  # noqa: S311
    async with db.read(SYSTEM) as tx:
        poll = await tx.session.get_one(Poll, poll_id)
        people = [one.person_id for one in (await frozen_roll(tx, poll)).values() if one.person_id]
    luck.shuffle(people)
    clock.now = OPENS
    for start in range(0, len(people), CHUNK):
        async with db.begin(SYSTEM) as tx:
            poll = await tx.session.get_one(Poll, poll_id)
            casts = []
            for person in people[start : start + CHUNK]:
                place = await place_of(tx, poll, person)
                assert place is not None
                given = [(n, [luck.choice(["for", "for", "for", "against", "abstain"])])
                         for n in (1, 2)]  # fmt: skip
                choices = rules.check_ballot(poll.items, given)
                casts.append(Cast(place=place, choices=choices, channel=BallotChannel.ELECTRONIC))
            await put_in(tx, poll, casts)
        if start + CHUNK < len(people):  # the last chunk is left to the last batch
            clock.now = board.next_round(clock.now)
            async with db.begin(SYSTEM) as tx:
                await recording.put_on_board(tx, poll_id)


async def _certified(db: Database, poll_id: UUID) -> None:
    """Three people sign, and the result is published."""
    async with db.begin(SYSTEM) as tx:
        poll = await tx.session.get_one(Poll, poll_id)
        people = [one.person_id for one in (await frozen_roll(tx, poll)).values() if one.person_id]
        roles = (SignerRole.TELLER, SignerRole.TELLER, SignerRole.SUPERVISOR)
        for person, role in zip(people[:3], roles, strict=True):
            tx.session.add(
                CountSignature(
                    poll_id=poll.id, person_id=person, community_id=poll.community_id,
                    role=role, result_digest=poll.result_digest or "", at=tx.now,
                )
            )  # fmt: skip
        await tx.session.flush()
        await certifying.certify(tx, poll)
        poll.state = PollState.PUBLISHED
        poll.published_at = tx.now
