"""What remains of a confidential poll, read byte by byte by somebody who knows who voted when.

The attacker has the finished database as files and system columns, an old copy of it, everything
published, and the order in which the voters came. They guess which tracker is whose; by chance one
guess is right. The same attacks on ordinary storage find everybody, so that the test can fail.
"""

import asyncio
import base64
import itertools
import random
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_urlsafe
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event, text
from sqlmodel import select

from consultation.box_keys import FileBoxKeys
from consultation.database import Database, metadata
from consultation.permissions import Actor
from consultation.polls import envelopes, rules
from consultation.polls.commands import casting, sheets, unsealing
from consultation.polls.envelope_tables import Envelope, OpenedBallot
from consultation.polls.envelopes import tracker
from consultation.polls.rules import PollItem
from consultation.polls.sheet_tables import SealedSheet
from consultation.vault import Vault
from tests.conftest import BOARD_KEY, SECRET
from tests.consultation.polls.stage import OPENERS, Stage
from tests.consultation.polls.test_paper import GRID, ONE, TWO, issue, print_forms

VOTERS = 48
LUCK = 7
"""At most this many right guesses: chance is one, and eight or more come once in a hundred
thousand."""
UNLIKELY = 0.45
"""Four and a half standard deviations of tau for so many voters."""


def guessed_right(order: Sequence[str], truth: Sequence[str]) -> int:
    """``truth`` are the trackers in the order in which their voters came; the attacker takes
    ``order`` for that order, or for its reverse."""
    return max(
        sum(a == b for a, b in zip(order, truth, strict=True)),
        sum(a == b for a, b in zip(reversed(order), truth, strict=True)),
    )


def agreement(order: Sequence[str], truth: Sequence[str]) -> float:
    """Kendall's tau: 1 for the same order, -1 for the reverse, about 0 for none."""
    rank = [truth.index(one) for one in order]
    pairs = [(a, b) for i, a in enumerate(rank) for b in rank[i + 1 :]]
    return sum(1 if a < b else -1 for a, b in pairs) / len(pairs)


def in_order_of_place(raw: bytes, tokens: Sequence[str]) -> list[str]:
    """Tokens by where they last stand in the bytes."""
    places = {token: raw.rfind(token.encode()) for token in tokens}
    assert min(places.values()) >= 0
    return sorted(tokens, key=places.__getitem__)


async def raw_bytes(db: Database, *, log: bool = True) -> bytes:
    """Every byte of the database's files, with its log."""
    if db.is_sqlite:
        path = Path(db.url.split("///")[1])
        return b"".join(
            file.read_bytes()
            for file in (path, *([path.with_name(path.name + "-wal")] if log else []))
            if file.exists()
        )
    async with db.writer.connect() as plain:
        connection = await plain.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("CHECKPOINT"))
        root = Path((await connection.execute(text("SHOW data_directory"))).scalar_one())
        oid = (
            await connection.execute(
                text("SELECT oid FROM pg_database WHERE datname = current_database()")
            )
        ).scalar_one()
    folders = [root / "base" / str(oid), *([root / "pg_wal"] if log else [])]
    return b"".join(
        file.read_bytes()
        for folder in folders
        for file in sorted(folder.iterdir())
        if file.is_file()
    )


@dataclass
class Played:
    """A poll that was cast in the order of ``entries``; the attacker knows all but ``once``."""

    poll_id: UUID
    entries: list[UUID] = field(default_factory=list)
    once: list[str] = field(default_factory=list)
    trackers: list[str] = field(default_factory=list)
    sealed: list[bytes] = field(default_factory=list)
    places: list[int] = field(default_factory=list)


async def play(stage: Stage) -> Played:
    poll, people = await stage.household_poll(VOTERS)
    roll = {
        place.person_id: (id, place.number) for id, place in (await stage.roll(poll.id)).items()
    }
    played = Played(poll.id)
    random.Random(3).shuffle(people)
    for person in people:
        once = token_urlsafe(24)
        choice = random.choice(["for", "against", "abstain"])
        receipt = await stage.cast_sealed(poll.id, person, choice, once=once)
        entry, place = roll[person]
        played.entries.append(entry)
        played.places.append(place)
        played.once.append(once)
        played.trackers.append(receipt.tracker)
    async with stage.db.read() as tx:
        rows = await tx.session.exec(select(Envelope).where(Envelope.poll_id == poll.id))
        by_entry = {row.roll_entry_id: row.sealed for row in rows}
    played.sealed = [by_entry[entry] for entry in played.entries]
    return played


def id_bytes(db: Database, id: UUID) -> bytes:
    """How a UUID stands in the files."""
    return id.hex.encode() if db.is_sqlite else id.bytes


async def test_order_and_content_of_what_remains_link_nobody(stage: Stage) -> None:
    played = await play(stage)
    await stage.open_box(played.poll_id)
    before = await raw_bytes(stage.db)
    assert any(sealed in before for sealed in played.sealed)  # deleted is not gone
    await stage.work()
    after = await raw_bytes(stage.db, log=stage.db.is_sqlite)

    # content: nothing sealed is left for a key that somebody kept
    assert [sealed for sealed in played.sealed if sealed in after] == []
    # order: of the bytes in files and logs
    found = in_order_of_place(after, played.trackers)
    assert guessed_right(found, played.trackers) <= LUCK
    assert abs(agreement(found, played.trackers)) < UNLIKELY
    log = await raw_bytes(stage.db)
    assert guessed_right(in_order_of_place(log, played.trackers), played.trackers) <= LUCK
    # neighbours: the voter nearest to a tracker in the files is theirs by chance only
    nearest = [neighbour(stage.db, after, one, played.entries) for one in played.trackers]
    hits = sum(a == b for a, b in zip(nearest, played.entries, strict=True))
    assert hits <= LUCK


def neighbour(db: Database, raw: bytes, token: str, entries: Sequence[UUID]) -> UUID:
    at = raw.rfind(token.encode())
    places = {
        entry: [hit.start() for hit in re.finditer(re.escape(id_bytes(db, entry)), raw)]
        for entry in entries
    }
    return min(entries, key=lambda e: min((abs(at - place) for place in places[e]), default=2**62))


async def test_system_columns_link_nobody(stage: Stage) -> None:
    columns = ["rowid"] if stage.db.is_sqlite else ["ctid", "xmin", "cmin", "xmax"]
    played = await play(stage)
    await stage.open_box(played.poll_id)
    await stage.work()
    order = ", ".join(f"{c}::text::bigint" if c in ("xmin", "cmin", "xmax") else c for c in columns)
    async with stage.db.read() as tx:
        for by in columns:
            key = f"{by}::text::bigint" if by in ("xmin", "cmin", "xmax") else by
            found = await tx.session.exec(
                text(f"SELECT tracker FROM opened_ballot ORDER BY {key}, {order}")
            )
            assert guessed_right([row[0] for row in found], played.trackers) <= LUCK
        if not stage.db.is_sqlite:
            shared = await tx.session.exec(
                text(
                    "SELECT count(DISTINCT xmin::text),"
                    " (SELECT count(DISTINCT xmin::text) FROM participation) FROM opened_ballot"
                )
            )
            assert tuple(shared.one()) == (1, 1)  # one transaction for all: it singles out nobody


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_the_heap_pages_of_postgres_keep_no_dead_ballot(stage: Stage) -> None:
    played = await play(stage)
    await stage.open_box(played.poll_id)
    await stage.work()
    async with stage.db.begin() as tx:
        await tx.session.exec(text("CREATE EXTENSION IF NOT EXISTS pageinspect"))
        for table, left in (("envelope", 0), ("participation", VOTERS), ("opened_ballot", VOTERS)):
            items = await tx.session.exec(
                text(
                    f"SELECT count(i.t_xmin) FROM generate_series(0, pg_relation_size('{table}')"
                    f" / 8192 - 1) AS p, heap_page_items(get_raw_page('{table}', p::int)) AS i"
                )
            )
            assert items.scalar_one() == left, table


@pytest.mark.parametrize("engine_writes", ["one_transaction", "two_transactions"])
async def test_the_same_attacks_find_everybody_in_ordinary_storage(
    stage: Stage, engine_writes: str
) -> None:
    """Random keys, no times, no voter in the ballot, and still (trust 3.2)."""
    sqlite = stage.db.is_sqlite
    voters = [uuid4().hex for _ in range(VOTERS)]
    trackers = [base64.b32encode(uuid4().bytes).decode().rstrip("=") for _ in voters]
    async with stage.db.begin() as tx:
        suffix = " WITHOUT ROWID" if sqlite else ""
        await tx.session.exec(text("DROP TABLE IF EXISTS marked"))
        await tx.session.exec(text("DROP TABLE IF EXISTS plain"))
        await tx.session.exec(text(f"CREATE TABLE marked (voter TEXT PRIMARY KEY){suffix}"))
        await tx.session.exec(
            text(f"CREATE TABLE plain (tracker TEXT PRIMARY KEY, choice TEXT){suffix}")
        )
    mark = text("INSERT INTO marked VALUES (:voter)")
    put = text("INSERT INTO plain VALUES (:tracker, 'for')")
    for voter, one in zip(voters, trackers, strict=True):
        async with stage.db.begin() as tx:
            await tx.session.exec(mark, params={"voter": voter})
            if engine_writes == "one_transaction":
                await tx.session.exec(put, params={"tracker": one})
        if engine_writes == "two_transactions":
            async with stage.db.begin() as tx:
                await tx.session.exec(put, params={"tracker": one})

    if not sqlite and engine_writes == "one_transaction":
        async with stage.db.read() as tx:
            linked = await tx.session.exec(
                text(
                    "SELECT tracker FROM plain JOIN marked ON plain.xmin::text = marked.xmin::text"
                )
            )
            assert len(list(linked)) == VOTERS
    found = in_order_of_place(await raw_bytes(stage.db), trackers)
    assert guessed_right(found, trackers) == VOTERS
    assert abs(agreement(found, trackers)) == 1
    async with stage.db.begin() as tx:
        await tx.session.exec(text("DROP TABLE marked"))
        await tx.session.exec(text("DROP TABLE plain"))


async def test_an_old_copy_and_everything_published_link_nobody(
    stage: Stage, tmp_path: Path, box_keys_dir: Path
) -> None:
    """The copy was made one moment before the opening. The attacker has every byte of it."""
    played = await play(stage)
    await stage.closed(played.poll_id)
    private_key = (box_keys_dir / f"{played.poll_id}.key").read_bytes()
    old = await raw_bytes(stage.db)
    async with stage.db.read() as tx:
        rows = list(
            await tx.session.exec(select(Envelope).where(Envelope.poll_id == played.poll_id))
        )
    for name, role in OPENERS:
        await stage.confirm_opening(played.poll_id, name, role)
    await stage.work()
    async with stage.db.read() as tx:
        published = set(
            await tx.session.exec(
                select(OpenedBallot.tracker).where(OpenedBallot.poll_id == played.poll_id)
            )
        )
    assert published == set(played.trackers)

    secrets = [one.encode() for one in (*played.once, *played.trackers)]
    secrets += [base64.b32decode(one + "======") for one in played.trackers]
    secrets += [private_key, private_key.hex().encode(), base64.b64encode(private_key)]
    assert [secret for secret in secrets if secret in old] == []

    # whatever is stored with a voter, taken for the voter's secret, makes no published tracker
    for row in rows:
        place = played.places[played.entries.index(row.roll_entry_id)]
        stored = [row.sealed, row.fingerprint, row.salt, row.leaf_hash, row.roll_entry_id.bytes]
        for key in (*stored, *(one.hex().encode() for one in stored), row.sealed[:32]):
            assert tracker(key, played.poll_id, place) not in published
        for start in range(len(row.sealed) - 31):  # nor does it open the envelope
            assert open_with(row.sealed[start : start + 32], played.poll_id, row.sealed) is None
    # all envelopes look alike
    assert len({len(row.sealed) for row in rows}) == 1
    assert len({row.sealed[:32] for row in rows}) == VOTERS


def open_with(key: bytes, poll_id: UUID, sealed: bytes) -> envelopes.Opened | None:
    items = [PollItem(number=1, text="加装电梯")]
    return envelopes.unseal(key, poll_id=poll_id, items=items, sealed=sealed)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_an_old_copy_opens_nothing_once_the_key_is_destroyed_and_all_with_a_kept_key(
    stage: Stage, tmp_path: Path, box_keys_dir: Path
) -> None:
    """The second half is what the product says it does not protect against."""
    played = await play(stage)
    await stage.closed(played.poll_id)
    async with stage.db.writer.connect() as connection:
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        await driver.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    copy = tmp_path / "copies" / "old.sqlite3"
    copy.parent.mkdir()
    shutil.copy(stage.db.url.split("///")[1], copy)
    kept = tmp_path / "kept-keys"
    shutil.copytree(box_keys_dir, kept)
    for name, role in OPENERS:
        await stage.confirm_opening(played.poll_id, name, role)
    await stage.work()

    async def open_copy(keys: Path) -> set[str]:
        db = Database(
            f"sqlite+aiosqlite:///{copy}",
            vault=Vault(SECRET.encode()),
            board_key=BOARD_KEY,
            clock=stage.clock,
            box_keys=FileBoxKeys(keys),
        )
        try:
            for name, role in OPENERS:
                async with db.begin(stage.world.as_(name, role)) as tx:
                    await unsealing.confirm_opening(tx, played.poll_id)
            async with db.read() as tx:
                return set(await tx.session.exec(select(OpenedBallot.tracker)))
        finally:
            await db.dispose()

    with pytest.raises(rules.BoxKeyUnusable):
        await open_copy(box_keys_dir)
    assert await open_copy(kept) == set(played.trackers)


async def test_no_table_and_no_statement_holds_a_voter_and_a_choice(stage: Stage) -> None:
    opened = metadata.tables["opened_ballot"]
    assert set(opened.columns.keys()) == {"poll_id", "number", "community_id", "tracker", "choices"}
    assert [t.name for t in metadata.tables.values() if "tracker" in t.columns] == ["opened_ballot"]
    for name in ("envelope", "participation"):
        columns = metadata.tables[name].columns.keys()
        assert not {"choices", "tracker", "cast_at", "at"} & set(columns)

    played = await play(stage)
    seen: list[tuple[str, Any]] = []
    listen: Callable[..., None] = lambda *a: seen.append((a[2].lower(), a[3]))  # noqa: E731
    event.listen(stage.db.writer.sync_engine, "before_cursor_execute", listen)
    await stage.open_box(played.poll_id)
    await stage.work()
    event.remove(stage.db.writer.sync_engine, "before_cursor_execute", listen)

    assert [s for s, _ in seen if "roll_entry" in s and ("tracker" in s or "sealed" in s)] == []
    put = [parameters for statement, parameters in seen if "into opened_ballot" in statement]
    assert put
    assert not any(id_of in repr(put) for e in played.entries for id_of in (e.hex, str(e)))


# ---- paper --------------------------------------------------------------------------------------


@dataclass
class OnPaper(Played):
    """``entries`` and ``trackers`` in the order in which envelopes were handed in; ``by_sheet`` are
    the trackers in the order in which sheets came out of the mixed envelopes."""

    by_sheet: list[str] = field(default_factory=list)
    entered: list[tuple[str, Any]] = field(default_factory=list)


async def play_on_paper(stage: Stage) -> OnPaper:
    """Every ballot on paper says something else, so that the test alone knows whose is whose."""
    items = [PollItem(number=number, text=f"第{number}项") for number in (1, 2, 3, 4)]
    poll, people = await stage.household_poll(VOTERS, items=items)
    roll = {
        place.person_id: (id, place.number) for id, place in (await stage.roll(poll.id)).items()
    }
    luck = random.Random(5)
    ballots = list(itertools.product(("for", "against", "abstain"), repeat=len(items)))
    says = dict(zip(people, luck.sample(ballots, VOTERS), strict=True))
    played = OnPaper(poll.id)
    luck.shuffle(people)
    await print_forms(stage, poll.id, 1, VOTERS)
    for form, person in enumerate(people, 1):
        await issue(stage, poll.id, form, roll[person][1])
        async with stage.db.begin(stage.world.as_(*GRID)) as tx:
            await sheets.take_envelope(tx, poll.id, form)
        played.entries.append(roll[person][0])
    await stage.closed(poll.id)

    mixed = luck.sample(people, VOTERS)

    def listen(*details: Any) -> None:
        played.entered.append((details[2].lower(), details[3]))

    event.listen(stage.db.writer.sync_engine, "before_cursor_execute", listen)
    for who in (ONE, TWO):
        for sheet, person in enumerate(mixed, 1):
            answers = [(n, [code]) for n, code in enumerate(says[person], 1)]
            async with stage.db.begin(stage.world.as_(*who)) as tx:
                await sheets.enter_sheet(tx, poll.id, sheet, answers, scans=["a" * 64])
    async with stage.db.read() as tx:
        played.sealed = list(await tx.session.exec(select(SealedSheet.sealed)))
    for name, role in OPENERS:
        await stage.confirm_opening(poll.id, name, role)
    event.remove(stage.db.writer.sync_engine, "before_cursor_execute", listen)
    async with stage.db.read() as tx:
        opened = list(await tx.session.exec(select(OpenedBallot)))
    said = {tuple(codes[0] for codes in (one.choices or {}).values()): one for one in opened}
    assert len(said) == VOTERS
    played.trackers = [said[says[person]].tracker for person in people]
    played.by_sheet = [said[says[person]].tracker for person in mixed]
    return played


async def test_of_paper_remains_neither_the_order_of_envelopes_nor_that_of_sheets(
    stage: Stage,
) -> None:
    played = await play_on_paper(stage)
    before = await raw_bytes(stage.db)
    assert any(sealed in before for sealed in played.sealed)
    await stage.work()
    after = await raw_bytes(stage.db, log=stage.db.is_sqlite)
    assert [sealed for sealed in played.sealed if sealed in after] == []

    for truth in (played.trackers, played.by_sheet):
        found = in_order_of_place(after, truth)
        assert guessed_right(found, truth) <= LUCK
        assert abs(agreement(found, truth)) < UNLIKELY
        log = await raw_bytes(stage.db)
        assert guessed_right(in_order_of_place(log, truth), truth) <= LUCK
    nearest = [neighbour(stage.db, after, one, played.entries) for one in played.trackers]
    assert sum(a == b for a, b in zip(nearest, played.entries, strict=True)) <= LUCK

    columns = ["rowid"] if stage.db.is_sqlite else ["ctid", "xmin::text::bigint", "cmin::text"]
    async with stage.db.read() as tx:
        for by in columns:
            rows = await tx.session.exec(text(f"SELECT tracker FROM opened_ballot ORDER BY {by}"))
            order = [row[0] for row in rows]
            for truth in (played.trackers, played.by_sheet):
                assert guessed_right(order, truth) <= LUCK


async def test_no_statement_on_sheets_asks_for_a_voter_or_a_form(stage: Stage) -> None:
    for name in ("sheet_entry", "sealed_sheet"):
        columns = metadata.tables[name].columns.keys()
        assert not {"form", "number", "voter_id", "roll_entry_id", "choices"} & set(columns)
    played = await play_on_paper(stage)
    on_sheets = [(s, p) for s, p in played.entered if "sheet_entry" in s or "sealed_sheet" in s]
    assert len(on_sheets) > VOTERS
    people = ("roll_entry", "paper_", "participation", " envelope", "opened_ballot")
    assert [s for s, _ in on_sheets if any(table in s for table in people)] == []
    put = repr([parameters for s, parameters in on_sheets if s.startswith("insert")])
    assert not any(one in put for e in played.entries for one in (e.hex, str(e)))
    assert [s for s, _ in played.entered if "roll_entry" in s and "sheet" in s] == []


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_fifty_devices_of_one_voter_leave_one_envelope(stage: Stage) -> None:
    poll, people = await stage.household_poll(2)

    async def one() -> bool:
        try:
            async with stage.db.begin(Actor(person_id=people[0])) as tx:
                await casting.cast_ballot(tx, poll.id, [(1, ["for"])], once=token_urlsafe(24))
        except rules.AlreadyVoted:
            return False
        return True

    done = await asyncio.gather(*(one() for _ in range(50)))
    assert sum(done) == 1
    async with stage.db.read() as tx:
        assert len(list(await tx.session.exec(select(Envelope)))) == 1
