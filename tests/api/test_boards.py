"""Boards over HTTP: what a stranger reads, what a voter keeps, and that the two fit together."""

import asyncio
import hashlib
import io
import json
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner, Result

from api.cli import cli
from api.settings import Settings
from consultation.database import Database
from consultation.permissions import Role
from consultation.polls import board, merkle
from consultation.polls.leaves import canonical
from consultation.polls.tables import Poll
from tests.conftest import BOARD_KEY, ManualClock
from tests.consultation.polls.stage import Stage
from tests.verifier import failing
from tests.world import World


@pytest.fixture
async def stage(db: Database, world: World, clock: ManualClock, client: httpx.AsyncClient) -> Stage:
    return Stage(db=db, world=world, clock=clock)


def bearer(world: World, person_id: UUID) -> dict[str, str]:
    return {"authorization": f"Bearer {world.tokens.issue(person_id, uuid4(), uuid4())}"}


async def read(client: httpx.AsyncClient, path: str, **query: Any) -> dict[str, Any]:
    """As a stranger, who is not logged in."""
    answer = await client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def running(stage: Stage, count: int = 45) -> tuple[Poll, list[UUID]]:
    """A household poll with two batches on its board."""
    estate, people = await stage.households(count)
    topic = await stage.topic("household_poll", estate)
    poll = await stage.opened("household_poll", topic, estate)
    for part in (people[:10], people[10:35]):
        await stage.vote(poll.id, part, "f" * len(part))
        stage.clock.now = board.next_round(stage.clock.now)
        await stage.work()
    return poll, people


async def test_a_stranger_reads_the_manifest_and_follows_the_board(
    client: httpx.AsyncClient, stage: Stage
) -> None:
    poll, _ = await running(stage)
    path = f"/v1/polls/{poll.id}"

    fixed = await read(client, f"{path}/manifest")
    assert hashlib.sha256(fixed["content"].encode()).hexdigest() == fixed["digest"]
    assert (await read(client, path))["manifest_hash"] == fixed["digest"]

    shown = await read(client, f"{path}/board")
    assert shown["manifest_hash"] == fixed["digest"]
    assert shown["board_key"] == BOARD_KEY.public == json.loads(fixed["content"])["board_key"]
    leaves = [bytes.fromhex(leaf) for leaf in shown["leaves"]]
    assert merkle.root(leaves).hex() == shown["head"]["root"]
    assert shown["head"]["size"] == 35
    heads = (await read(client, f"{path}/board/heads"))["items"]
    assert [head["size"] for head in heads] == [10, 35]
    assert heads[-1] == shown["head"]

    proof = await read(client, f"{path}/board/consistency", **{"from": 10, "to": 35})
    steps = [bytes.fromhex(step) for step in proof["proof"]]
    assert proof["from_root"] == heads[0]["root"]
    assert proof["to_root"] == heads[1]["root"]
    assert merkle.proves_consistency(
        10, bytes.fromhex(heads[0]["root"]), 35, bytes.fromhex(heads[1]["root"]), steps
    )
    beyond = await client.get(f"{path}/board/consistency", params={"from": 10, "to": 36})
    assert (beyond.status_code, beyond.json()["code"]) == (404, "no-such-tree")


async def test_the_board_is_read_page_by_page(client: httpx.AsyncClient, stage: Stage) -> None:
    poll, _ = await running(stage)
    path = f"/v1/polls/{poll.id}/board"

    whole = await read(client, path)
    pages, cursor = [], None
    while True:
        page = await read(client, path, limit=8, **({"cursor": cursor} if cursor else {}))
        assert page["start"] == len(pages)
        pages += page["leaves"]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert pages == whole["leaves"]
    first = await read(client, f"{path}/heads", limit=1)
    rest = await read(client, f"{path}/heads", limit=1, cursor=first["next_cursor"])
    assert [one["number"] for one in first["items"] + rest["items"]] == [1, 2]
    assert rest["next_cursor"] is None


async def test_a_receipt_becomes_a_proof(
    client: httpx.AsyncClient, stage: Stage, world: World
) -> None:
    poll, people = await running(stage)
    path = f"/v1/polls/{poll.id}"
    mine = bearer(world, people[40])
    body = {"answers": [{"item": 1, "choices": ["against"]}]}
    cast = (await client.put(f"{path}/ballot", json=body, headers=mine)).json()
    signed = (await client.get(f"{path}/ballot/receipt", headers=mine)).json()

    assert signed["receipt"] == cast["receipt"]
    text = canonical(
        {
            "v": 1,
            "kind": "receipt",
            "poll": str(poll.id),
            "manifest": poll.manifest_hash,
            "leaf": cast["receipt"],
            "include_by": signed["include_by"],
        }
    )
    assert signed["signature"] == BOARD_KEY.sign(text)
    assert (await client.get(f"{path}/ballot/receipt", headers=mine)).json() == signed
    early = await client.get(f"{path}/board/inclusion", params={"leaf": cast["receipt"]})
    assert (early.status_code, early.json()["code"]) == (404, "leaf-not-on-board")

    while stage.clock.now < datetime.fromisoformat(signed["include_by"]):
        stage.clock.now = board.next_round(stage.clock.now)
        await stage.work()
    proof = await read(client, f"{path}/board/inclusion", leaf=cast["receipt"])
    assert merkle.proves_inclusion(
        bytes.fromhex(cast["receipt"]),
        proof["index"],
        proof["head"]["size"],
        [bytes.fromhex(step) for step in proof["path"]],
        bytes.fromhex(proof["head"]["root"]),
    )


async def test_who_has_no_ballot_has_no_receipt(
    client: httpx.AsyncClient, stage: Stage, world: World
) -> None:
    poll, people = await running(stage)
    path = f"/v1/polls/{poll.id}/ballot/receipt"

    assert (await client.get(path)).status_code == 401
    silent = await client.get(path, headers=bearer(world, people[44]))
    assert (silent.status_code, silent.json()["code"]) == (404, "not-found")
    stranger = await client.get(path, headers=world.headers("resident1"))
    assert (stranger.status_code, stranger.json()["code"]) == (403, "not-on-roll")


async def test_a_draft_has_neither_manifest_nor_board_for_a_stranger(
    client: httpx.AsyncClient, stage: Stage, world: World
) -> None:
    entrance, _ = await stage.lift()
    topic = await stage.topic("lift_scope_owners", entrance)
    draft = await stage.drafted("lift_scope_owners", topic, entrance)

    for end in ("manifest", "board", "board/heads", "pack/public"):
        assert (await client.get(f"/v1/polls/{draft.id}/{end}")).status_code == 404
    clerk = world.headers("clerk", Role.CLERK)
    mine = await client.get(f"/v1/polls/{draft.id}/manifest", headers=clerk)
    assert (mine.status_code, mine.json()["code"]) == (404, "not-found")
    shown = await client.get(f"/v1/polls/{draft.id}/board", headers=clerk)
    assert (shown.json()["head"], shown.json()["leaves"]) == (None, [])


async def test_packs_come_as_zip_files_that_the_verifier_takes(
    client: httpx.AsyncClient, stage: Stage, world: World, tmp_path: Path
) -> None:
    poll, owners = await stage.lift_poll()
    await stage.vote(poll.id, owners, "f" * 9 + "aao")
    path = f"/v1/polls/{poll.id}/pack"
    early = await client.get(f"{path}/public")
    assert (early.status_code, early.json()["code"]) == (404, "pack-not-ready")
    await stage.published(poll.id)

    notice = (poll.manifest_hash or "")[:16]
    for number, (where, headers) in enumerate(
        (
            (f"{path}/public", {}),
            (path, bearer(world, owners[3])),
            (path, world.headers("teller1", Role.TELLER)),
        )
    ):
        answer = await client.get(where, headers=headers)
        assert answer.headers["content-type"] == "application/zip"
        edition = "-public" if where.endswith("public") else ""
        saved_as = f'attachment; filename="minyi-{poll.id}{edition}.zip"'
        assert answer.headers["content-disposition"] == saved_as
        assert (await client.get(where, headers=headers)).content == answer.content
        with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
            files = {name: archive.read(name) for name in archive.namelist()}
        assert failing(tmp_path / str(number), files, notice=notice) == {}
    for name, role, status in (
        ("clerk", Role.CLERK, 403),
        ("resident1", None, 403),
        ("neighbour", None, 403),
    ):
        answer = await client.get(path, headers=world.headers(name, role))
        assert answer.status_code == status


async def test_the_command_line_writes_the_same_pack(
    client: httpx.AsyncClient,
    stage: Stage,
    settings: Settings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    poll, owners = await stage.lift_poll()
    await stage.vote(poll.id, owners, "f" * 12)
    for name in ("database_url", "field_secret", "token_key", "board_key"):
        value = getattr(settings, name)
        secret = value.get_secret_value() if isinstance(value, SecretStr) else value
        monkeypatch.setenv(f"MINYI_{name.upper()}", secret)

    async def run(*arguments: str) -> Result:  # in a thread: the command runs a loop of its own
        return await asyncio.to_thread(CliRunner().invoke, cli, ["pack", str(poll.id), *arguments])

    early = await run("--to", str(tmp_path / "early"))
    assert (early.exit_code, "pack-not-ready" in early.output) == (1, True)
    await stage.published(poll.id)
    assert (await run("--to", str(tmp_path / "full"))).exit_code == 0
    assert (await run("--to", str(tmp_path / "full"))).exit_code == 1  # never over another
    assert (await run("--public", "--to", str(tmp_path / "public"))).exit_code == 0
    written = {path.name: path.read_bytes() for path in (tmp_path / "public").iterdir()}
    answer = await client.get(f"/v1/polls/{poll.id}/pack/public")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert written == {name: archive.read(name) for name in archive.namelist()}
    full = {path.name: path.read_bytes() for path in (tmp_path / "full").iterdir()}
    assert failing(tmp_path / "again", full) == {}


async def test_the_public_page_shows_codes_that_people_can_note(
    client: httpx.AsyncClient, stage: Stage
) -> None:
    poll, _ = await running(stage)

    page = (await client.get(f"/t/{poll.topic_id}")).text
    head = (await read(client, f"/v1/polls/{poll.id}/board"))["head"]
    assert (poll.manifest_hash or "x")[:16] in page
    assert head["root"][:16] in page
    assert head["root"] not in page
