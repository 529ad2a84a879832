"""What is left of a poll that was annulled, and who sees it."""

import httpx
import pytest

from api.phrases import write
from consultation.permissions import Role
from consultation.polls.commands import annulling
from consultation.polls.envelope_tables import Envelope
from consultation.polls.rules import PollState
from consultation.polls.sheet_tables import SealedSheet, SheetEntry
from consultation.polls.tables import Poll
from tests.consultation.polls.stage import Stage
from tests.consultation.polls.test_sheets import enter_twice, on_paper, rows

WHY = "票箱封条破损,无法认定本次表决。"


async def annulled(stage: Stage, poll: Poll) -> Poll:
    async with stage.db.begin(stage.world.as_("supervisor", Role.SUPERVISOR)) as tx:
        await annulling.propose_annulment(tx, poll.id, reason=WHY)
    async with stage.db.begin(stage.secretary) as tx:
        await annulling.confirm_annulment(tx, poll.id, version=1, write=write)
    await stage.work()
    return await stage.load(poll.id)


async def test_sealed_ballots_of_phones_and_sheets_are_destroyed(stage: Stage) -> None:
    poll, people = await stage.household_poll(12)
    await on_paper(stage, poll, [1])
    await stage.cast_sealed(poll.id, people[3], "for")
    await stage.closed(poll.id)
    await enter_twice(stage, poll.id, 1, "against")
    assert len(await rows(stage.db, SealedSheet, poll.id)) == 1

    poll = await annulled(stage, poll)
    assert poll.box_destroyed_at is not None
    assert await rows(stage.db, Envelope, poll.id) == []
    assert await rows(stage.db, SealedSheet, poll.id) == []
    assert len(await rows(stage.db, SheetEntry, poll.id)) == 2  # on record, as keyed hashes


@pytest.mark.parametrize("opened", [False, True])
async def test_the_list_of_a_void_box_is_refused_in_words_of_its_own(
    stage: Stage, client: httpx.AsyncClient, opened: bool
) -> None:
    poll, people = await stage.household_poll(12)
    for person in people[:8]:
        await stage.cast_sealed(poll.id, person, "for")
    await (stage.open_box if opened else stage.closed)(poll.id)
    assert (await annulled(stage, poll)).state is PollState.VOIDED

    path = f"/v1/polls/{poll.id}"
    teller = stage.world.headers("teller1", Role.TELLER)
    for headers in ({}, teller):
        refused = await client.get(f"{path}/opened-ballots", headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (409, "poll-void")
    assert (await client.get(f"{path}/reconciliation")).json()["code"] == "poll-void"
    report = (await client.get(f"{path}/reconciliation", headers=teller)).json()
    if opened:
        assert (report["voters"], report["differences"]) == (8, [])
    else:  # the envelopes are gone, and with them what could be compared
        assert report == {"eligible": 12, "printed": 0, "issued": 0, "issued_at_door": 0}


async def test_tellers_read_how_the_registers_of_an_annulled_named_poll_add_up(
    stage: Stage, client: httpx.AsyncClient
) -> None:
    poll, owners = await stage.lift_poll()
    await stage.vote(poll.id, owners[:7], "f" * 7)
    await stage.closed(poll.id)
    await annulled(stage, poll)

    path = f"/v1/polls/{poll.id}"
    teller = stage.world.headers("teller1", Role.TELLER)
    report = (await client.get(f"{path}/reconciliation", headers=teller)).json()
    assert (report["voters"], report["not_voted"], report["differences"]) == (7, 5, [])
    refused = await client.get(f"{path}/ballots", headers=teller)
    assert (refused.status_code, refused.json()["code"]) == (409, "poll-void")
