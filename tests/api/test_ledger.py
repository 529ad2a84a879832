"""The ledger of a poll over HTTP: paper, mandates, objections, hands, and how it adds up."""

from datetime import date
from typing import Any

import httpx
import pytest

from consultation.community.tables import OrgKind
from consultation.database import Database
from consultation.permissions import Role
from tests.api.test_polls import answers, bearer
from tests.conftest import ManualClock
from tests.consultation.polls.stage import Stage
from tests.consultation.polls.test_electorates import a_household, resident
from tests.world import World

SHA, SCAN, OTHER = "a" * 64, "b" * 64, "c" * 64


@pytest.fixture
async def stage(db: Database, world: World, clock: ManualClock) -> Stage:
    return Stage(db=db, world=world, clock=clock)


def staff(world: World, name: str, role: Role) -> dict[str, str]:
    return world.headers(name, role)


async def put(
    client: httpx.AsyncClient,
    path: str,
    headers: dict[str, str],
    body: Any = None,
    *,
    expect: int = 200,
) -> Any:
    answer = await client.put(path, json=body or {}, headers=headers)
    assert answer.status_code == expect, answer.text
    return answer.json() if answer.content else None


async def test_paper_from_the_printer_to_the_signatures(
    client: httpx.AsyncClient, stage: Stage, world: World
) -> None:
    poll, owners = await stage.lift_poll()
    home = f"/v1/polls/{poll.id}"
    clerk = staff(world, "clerk", Role.CLERK)
    one, two = (staff(world, f"teller{n}", Role.TELLER) for n in (1, 2))
    supervisor = staff(world, "supervisor", Role.SUPERVISOR)

    assert await put(client, f"{home}/paper-blocks/1", clerk, {"last": 6}) == {
        "first": 1,
        "last": 6,
    }
    await stage.cast(poll.id, owners[1], "for")
    for form, voted in ((1, False), (2, True), (2, True)):
        body = {"number": form, "signature_sha256": SHA}
        issued = await put(client, f"{home}/paper-forms/{form}/issue", clerk, body)
        assert issued == {"voted": voted}
    entry = f"{home}/paper-forms/1/entry"
    assert await put(client, entry, one, answers("for") | {"scans": [SCAN]}) == {"state": "waiting"}
    assert await put(client, entry, two, answers("against") | {"scans": [OTHER]}) == {
        "state": "disputed"
    }
    listed = (await client.get(f"{home}/paper-forms?limit=3", headers=clerk)).json()
    assert [item["form"] for item in listed["items"]] == [1, 2, 3]
    assert listed["items"][0] == {
        "form": 1,
        "number": 1,
        "state": "disputed",
        "fate": None,
        "scans": [SCAN, OTHER],
        "to_open": None,
    }
    assert "against" not in (await client.get(f"{home}/paper-forms", headers=supervisor)).text
    third = answers("for") | {"scans": [SCAN, OTHER]}
    assert await put(client, entry, clerk, third) == {"state": "entered"}
    both = {"answers": None, "unreadable": False, "scans": [SCAN]}
    refused = await put(client, entry, clerk, both, expect=422)
    assert refused["code"] == "malformed-request"

    seen = await client.get(f"{home}/reconciliation", headers=bearer(world, owners[0]))
    assert seen.status_code == 403
    await stage.vote(poll.id, owners[2:11], "f" * 9)
    await stage.closed(poll.id)  # days later everybody logs in again
    clerk = staff(world, "clerk", Role.CLERK)
    one, two = (staff(world, f"teller{n}", Role.TELLER) for n in (1, 2))
    supervisor = staff(world, "supervisor", Role.SUPERVISOR)
    answer = await client.get(f"{home}/reconciliation", headers=one)
    assert answer.status_code == 200, answer.text
    report = answer.json()
    assert report["differences"] == [{"code": "forms_accounted", "expected": 6, "found": 1}]
    digest = (await client.get(home, headers=one)).json()["result_digest"]
    refused = await put(client, f"{home}/signature", one, {"result_digest": digest}, expect=409)
    assert refused["code"] == "poll-does-not-reconcile"
    assert "forms_accounted 6/1" in refused["detail"]

    fates = {"settlements": [{"first": 2, "last": 2, "fate": "kept", "note": "未交回"}]}
    fates["settlements"].append({"first": 3, "last": 6, "fate": "unused"})
    assert await put(client, f"{home}/paper-fates", clerk, fates) == {"settled": 5}
    others = [staff(world, name, Role.TELLER) for name in await stage.other_tellers()]
    for who in (one, two, supervisor, *others):  # eleven where nine are needed is close
        await put(client, f"{home}/signature", who, {"result_digest": digest})
    public = (await client.get(f"{home}/reconciliation")).json()
    assert public["reconciles"] is True
    assert (public["voters"], public["not_voted"]) == (11, 1)
    assert {line["channel"]: line["counted"] for line in public["channels"]} == {
        "electronic": 10,
        "paper": 1,
    }
    assert public["paper"] == {
        "printed": 6,
        "issued": 2,
        "issued_at_door": 0,
        "returned": 1,
        "spoiled": 0,
        "unused": 4,
        "kept": 1,
        "late": 0,
        "missing": 0,
        "unaccounted": 0,
    }


async def test_a_mandate_is_used_and_shown_masked(
    client: httpx.AsyncClient, stage: Stage, world: World
) -> None:
    poll, owners = await stage.lift_poll()
    home = f"/v1/polls/{poll.id}/roll/1/mandate"
    clerk = staff(world, "clerk", Role.CLERK)
    body = {
        "holder_id": str(world.id("tenant")),
        "relation": "child",
        "document_sha256": SHA,
        "instruction": answers("against")["answers"],
        "valid_until": poll.closes_at.isoformat(),
    }
    await put(client, home, clerk, body, expect=204)
    holder = world.headers("tenant")
    refused = await put(client, f"{home}/ballot", holder, answers("for"), expect=422)
    assert refused["code"] == "mandate-instruction-binds"
    receipt = await put(client, f"{home}/ballot", holder, answers("against"))
    assert "against" not in str(receipt)

    path = f"/v1/polls/{poll.id}/mandates"
    for reader in (holder, clerk, bearer(world, owners[0])):
        (shown,) = (await client.get(path, headers=reader)).json()["items"]
        assert (shown["number"], shown["holder"], shown["state"]) == (1, "李*", "used")
        assert "against" not in str(shown)
    assert (await client.get(path, headers=bearer(world, owners[1]))).json()["items"] == []
    taken = await put(client, f"{home}/withdrawal", bearer(world, owners[0]), expect=409)
    assert taken["code"] == "mandate-used"


async def test_who_takes_a_mandate_back_votes_alone(
    client: httpx.AsyncClient, stage: Stage, world: World
) -> None:
    poll, owners = await stage.lift_poll()
    home = f"/v1/polls/{poll.id}/roll/1/mandate"
    body = {
        "holder_id": str(world.id("tenant")),
        "relation": "child",
        "document_sha256": SHA,
        "instruction": answers("against")["answers"],
        "valid_until": poll.closes_at.isoformat(),
    }
    await put(client, home, staff(world, "clerk", Role.CLERK), body, expect=204)
    foreign = await put(client, f"{home}/withdrawal", bearer(world, owners[1]), expect=404)
    assert foreign["code"] == "not-found"

    await put(client, f"{home}/withdrawal", bearer(world, owners[0]), expect=204)

    path = f"/v1/polls/{poll.id}/mandates"
    (shown,) = (await client.get(path, headers=bearer(world, owners[0]))).json()["items"]
    assert shown["state"] == "revoked"
    gone = await put(
        client, f"{home}/ballot", world.headers("tenant"), answers("against"), expect=409
    )
    assert gone["code"] == "mandate-over"
    await put(client, f"/v1/polls/{poll.id}/ballot", bearer(world, owners[0]), answers("for"))


async def test_a_household_changes_who_represents_it(
    client: httpx.AsyncClient, stage: Stage, world: World
) -> None:
    household = await a_household(stage, world.community, world.nodes["estate"])
    adult = await resident(stage, world.community, household=household, born_on=date(1980, 1, 1))
    heir = await resident(stage, world.community, household=household, born_on=date(1985, 1, 1))
    path = f"/v1/households/{household}/representative"
    body = {"person_id": str(adult), "evidence_sha256": SHA}
    refused = await put(client, path, bearer(world, heir), body, expect=403)
    assert refused["code"] == "not-permitted"

    clerk = staff(world, "clerk", Role.CLERK)
    await put(client, path, clerk, body, expect=204)
    # who represents it may hand on without a paper
    await put(client, path, bearer(world, adult), {"person_id": str(heir)}, expect=204)

    log = f"/v1/communities/{world.community.id}/voter-designations"
    named = (await client.get(log, headers=clerk)).json()["items"]
    assert [one["household_code"] for one in named] == [household.hex] * 2


async def test_an_objection_from_filing_to_the_corrected_roll(
    client: httpx.AsyncClient, stage: Stage, world: World
) -> None:
    entrance, owners = await stage.lift()
    topic = await stage.topic("lift_scope_owners", entrance)
    poll = await stage.announced("lift_scope_owners", topic, entrance)
    home = f"/v1/polls/{poll.id}"
    filed = await put(
        client,
        f"{home}/roll/4/objection",
        bearer(world, owners[0]),
        {"kind": "wrong_voter", "ground": "登记的是他的兄弟。"},
    )
    missing = await put(
        client, f"{home}/roll-objection", bearer(world, owners[1]), {"ground": "没有我的车位"}
    )
    assert (filed["number"], missing["number"], filed["overdue"]) == (4, None, False)
    clerk, supervisor = (
        staff(world, "clerk", Role.CLERK),
        staff(world, "supervisor", Role.SUPERVISOR),
    )
    ruling = {
        "decision": "upheld",
        "correction": {"kind": "set_voter", "number": 4},
        "reason": "产权登记不符",
    }
    proposed = await put(client, f"/v1/roll-objections/{filed['id']}/ruling", clerk, ruling)
    confirmation = f"/v1/roll-objections/{filed['id']}/confirmation"
    ruled = await put(client, confirmation, supervisor, {"version": proposed["version"]})
    assert ruled["state"] == "upheld"

    roll = (await client.get(f"{home}/roll")).json()["items"]
    assert [one["label"] for one in roll if one["number"] == 4] == ["3幢 —"]
    everybody = (
        await client.get(f"{home}/roll-objections", headers=world.headers("tenant"))
    ).json()
    assert len(everybody["items"]) == 2
    assert all(
        one["number"] is None and one["ground"] is None and one["ruling"] is None
        for one in everybody["items"]
    )
    rules_on = (await client.get(f"{home}/roll-objections", headers=clerk)).json()["items"]
    assert {one["ground"] for one in rules_on} == {"登记的是他的兄弟。", "没有我的车位"}


async def test_hands_are_counted_with_witnesses(
    client: httpx.AsyncClient, stage: Stage, world: World
) -> None:
    members = await stage.assembly(world.community, 73, OrgKind.RESIDENTS_COMMITTEE)
    topic = await stage.topic("urban_reps_2026", world.community)
    meeting = await stage.meeting(topic, members[:60])
    poll = await stage.opened("urban_reps_2026", topic, world.community, meeting_id=meeting.id)
    body = {
        "heads": 58,
        "items": [{"item": 1, "hands": {"for": 50, "against": 5, "abstain": 3}}],
        "witness_ids": [str(member) for member in members[:2]],
    }
    teller = staff(world, "teller1", Role.TELLER)
    there = (await client.put(f"/v1/polls/{poll.id}/presence", headers=teller)).json()
    assert (there["present"], there["eligible"]) == (60, 76)
    path = f"/v1/polls/{poll.id}/hand-count"
    assert await put(client, path, teller, body) == {"count_no": 1, "heads": 58}
    ballot = await client.put(
        f"/v1/polls/{poll.id}/ballot", json=answers("for"), headers=bearer(world, members[4])
    )
    assert ballot.json()["code"] == "hands-or-ballots"

    home = f"/v1/polls/{poll.id}/countersignatures"
    one, two = (bearer(world, member) for member in members[:2])
    listed = (await client.get(f"{home}?limit=1", headers=one)).json()
    asked = {"subject": "hands", "number": 1, "turn": 1, "label": None, "answer": None}
    assert [row | {"at": None} for row in listed["items"]] == [asked | {"at": None}]
    assert listed["next_cursor"] is None
    other = {"heads": 58, "items": [{"item": 1, "hands": {"for": 58}}]}
    said = {"confirmed": True, "hands": other}
    differs = await put(client, f"{home}/hands/1/1", one, said, expect=422)
    assert differs["code"] == "hands-differ"
    said["hands"] = {"heads": body["heads"], "items": body["items"]}
    assert await put(client, f"{home}/hands/1/1", one, said) == {"state": "waiting"}
    stranger = await put(client, f"{home}/hands/1/1", bearer(world, members[4]), said, expect=403)
    assert stranger["code"] == "not-asked-to-countersign"
    no = {"confirmed": False}
    assert (await put(client, f"{home}/hands/1/1", two, no, expect=422))["code"] == (
        "countersign-reason-missing"
    )
    refused = no | {"reason": "清点时我不在场"}
    assert await put(client, f"{home}/hands/1/1", two, refused) == {"state": "refused"}
    nothing = await put(client, f"{home}/assisted/1/1", one, no, expect=404)
    assert nothing["code"] == "nothing-to-countersign"

    await stage.closed(poll.id)
    teller = staff(world, "teller1", Role.TELLER)
    supervisor = staff(world, "supervisor", Role.SUPERVISOR)
    digest = (await client.get(f"/v1/polls/{poll.id}", headers=teller)).json()["result_digest"]
    signature = f"/v1/polls/{poll.id}/signature"
    held = await put(client, signature, teller, {"result_digest": digest}, expect=409)
    assert (held["code"], "hands 1 refused" in held["detail"]) == (
        "countersignatures-missing",
        True,
    )
    note = {"note": "向两名见证人核实,票数无误"}
    settled = await put(client, f"{home}/hands/1/1/settlement", supervisor, note)
    assert settled == {"state": "settled"}
    await put(client, signature, teller, {"result_digest": digest})


async def test_voters_are_named_and_the_log_is_for_the_registrar(
    client: httpx.AsyncClient, stage: Stage, world: World
) -> None:
    unit = world.units[0].id
    clerk = staff(world, "clerk", Role.CLERK)
    body = {"person_id": str(world.id("resident2")), "evidence_sha256": SHA}
    refused = await put(client, f"/v1/units/{unit}/voter", clerk, body, expect=422)
    assert refused["code"] == "voter-not-eligible"
    own = {"person_id": str(world.id("resident1")), "evidence_sha256": SHA}
    await put(client, f"/v1/units/{unit}/voter", clerk, own, expect=204)
    log = f"/v1/communities/{world.community.id}/voter-designations"
    assert (await client.get(log, headers=clerk)).json() == {"items": [], "next_cursor": None}
    refused_log = await client.get(log, headers=world.headers("resident1"))
    assert refused_log.status_code == 403


async def test_an_outside_result_is_entered_and_confirmed(
    client: httpx.AsyncClient, stage: Stage, world: World
) -> None:
    estate = world.nodes["estate"]
    topic = await stage.topic("civil278_general", estate)
    poll = await stage.opened("civil278_general", topic, estate, owners_system_of_record=False)
    await stage.closed(poll.id)
    path = f"/v1/polls/{poll.id}/outside-result"
    sums = {
        "eligible": {"heads": 6, "area_dm2": 42765},
        "valid": {"heads": 5, "area_dm2": 35930},
        "items": [{"number": 1, "votes": {"for": {"heads": 5, "area_dm2": 35930}}}],
    }
    body = {"system": "市业主决策系统", "certificate_sha256": SHA, "sums": sums}
    entered = await put(client, path, staff(world, "clerk", Role.CLERK), body)
    assert (entered["result"]["verdict"], entered["confirmed_at"]) == ("passed", None)
    assert (await client.get(path)).status_code == 404
    del body["system"]
    secretary = staff(world, "secretary", Role.PARTY_SECRETARY)
    await put(client, f"{path}/confirmation", secretary, body)
    shown = (await client.get(path)).json()
    assert shown["system"] == "市业主决策系统"
    assert shown["confirmed_at"] is not None


async def test_paper_in_a_confidential_poll_over_http(
    client: httpx.AsyncClient, stage: Stage, world: World
) -> None:
    poll, _ = await stage.household_poll(4)
    home = f"/v1/polls/{poll.id}"
    clerk, grid = staff(world, "clerk", Role.CLERK), staff(world, "grid_worker", Role.GRID_WORKER)
    voter = next(p.person_id for p in (await stage.roll(poll.id)).values() if p.number == 1)
    await put(client, f"{home}/paper-blocks/1", clerk, {"last": 2})
    second = next(p.person_id for p in (await stage.roll(poll.id)).values() if p.number == 2)
    assert second is not None
    await stage.cast_sealed(poll.id, second, "for")
    for form in (1, 2):  # nobody learns of the second voter that an envelope is there
        body = {"number": form, "signature_sha256": SHA}
        issued = await put(client, f"{home}/paper-forms/{form}/issue", clerk, body)
        assert issued == {"voted": None}
    entry = answers("against") | {"scans": [SCAN]}
    refused = await put(client, f"{home}/paper-forms/1/entry", clerk, entry, expect=422)
    assert refused["code"] == "paper-form-stays-shut"
    alone = await put(client, f"{home}/paper-forms/1/return", clerk, expect=403)
    assert alone["code"] == "second-staff-needed"
    await put(client, f"{home}/paper-forms/1/return", grid, expect=204)
    sheet = f"{home}/paper-sheets/1/entry"
    early = await put(client, sheet, clerk, entry, expect=409)
    assert early["code"] == "box-not-closed"
    assert voter is not None
    mine = (await client.get(f"{home}/ballot", headers=bearer(world, voter))).json()
    assert (mine["channel"], mine["answers"]) == ("paper", None)
    kept = (await client.get(f"{home}/ballot/receipt", headers=bearer(world, voter))).json()
    assert kept["receipt"] == mine["receipt"]

    await stage.closed(poll.id)
    one, two = (staff(world, f"teller{n}", Role.TELLER) for n in (1, 2))
    clerk, supervisor = (
        staff(world, "clerk", Role.CLERK),
        staff(world, "supervisor", Role.SUPERVISOR),
    )
    listed = (await client.get(f"{home}/paper-forms", headers=clerk)).json()["items"]
    assert [form["to_open"] for form in listed] == [True, None]
    beyond = await put(client, f"{home}/paper-sheets/2/entry", one, entry, expect=404)
    assert beyond["code"] == "paper-sheet-not-there"
    for who in (one, two):
        await put(client, f"{home}/box-opening", who)
    shut = await put(client, f"{home}/box-opening", supervisor, expect=409)
    assert (shut["code"], "0 of 1" in shut["detail"] or "0张" in shut["detail"]) == (
        "paper-sheets-not-entered",
        True,
    )
    assert await put(client, sheet, one, entry) == {"state": "waiting"}
    seen = (await client.get(f"{home}/paper-sheets", headers=supervisor)).json()["items"]
    assert seen == [{"sheet": 1, "state": "waiting", "scans": []}]
    assert await put(client, sheet, two, entry) == {"state": "entered"}
    await put(client, f"{home}/box-opening", supervisor)
    await stage.work()
    fates = {"settlements": [{"first": 2, "last": 2, "fate": "kept", "note": "未交回"}]}
    await put(client, f"{home}/paper-fates", clerk, fates)
    await stage.published(poll.id)
    public = (await client.get(f"{home}/reconciliation")).json()
    assert public["sheets"] == {"envelopes": 1, "entered": 1}
    assert public["reconciles"] is True
    opened = (await client.get(f"{home}/opened-ballots")).json()["items"]
    said = sorted(ballot["answers"][0]["choices"][0] for ballot in opened)
    assert said == ["against", "for"]
