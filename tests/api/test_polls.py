"""Polls over HTTP: shapes, words, budgets, and what nobody is shown before the close."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from api import contract
from consultation.community.tables import Node, OrgKind
from consultation.database import Database
from consultation.permissions import Role
from consultation.polls.preset_files import presets
from consultation.topics.tables import Topic
from tests import measuring
from tests.conftest import ManualClock
from tests.consultation.polls.counting_cases import preset
from tests.consultation.polls.stage import Stage
from tests.world import World

LIFT = preset("lift_scope_owners")


@pytest.fixture
async def stage(db: Database, world: World, clock: ManualClock, client: httpx.AsyncClient) -> Stage:
    return Stage(db=db, world=world, clock=clock)


def bearer(world: World, person_id: UUID) -> dict[str, str]:
    return {"authorization": f"Bearer {world.tokens.issue(person_id, uuid4(), uuid4())}"}


def draft_body(stage: Stage, scope: Node, **change: Any) -> dict[str, Any]:
    draft = stage.draft("lift_scope_owners", scope)
    return {
        "preset": LIFT.key,
        "scope_node_id": str(scope.id),
        "question": "是否同意加装电梯",
        "items": [{"text": "在北侧加装电梯"}],
        "opens_at": draft.opens_at.isoformat(),
        "closes_at": draft.closes_at.isoformat(),
    } | change


def answers(choice: str) -> dict[str, Any]:
    return {"answers": [{"item": 1, "choices": [choice]}]}


async def lift(stage: Stage) -> tuple[Node, list[UUID], Topic]:
    entrance, owners = await stage.lift()
    return entrance, owners, await stage.topic("lift_scope_owners", entrance)


async def test_the_catalogue_of_rules_is_public_and_names_its_sources(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.get("/v1/poll-presets", headers={"accept-language": "en"})

    found = {one["key"]: one for one in answer.json()}
    assert found.keys() == presets().keys()
    special = found["civil278_special@2021-01-01"]
    assert special["name"] == "Owners' decision, special matters"
    assert special["in_force"]
    assert special["rule"]["approval"][0] == {
        "measure": "heads",
        "of": "participating",
        "numerator": 3,
        "denominator": 4,
        "inclusive": True,
    }
    assert special["rule"]["legal_basis"]
    assert found["urban_reps_2026@2026-01-01"]["rule"]["verification"] == "to_confirm"


async def test_a_poll_from_draft_to_published_result(
    client: httpx.AsyncClient, stage: Stage, world: World
) -> None:
    entrance, owners, topic = await lift(stage)
    clerk = world.headers("clerk", Role.CLERK)
    secretary = world.headers("secretary", Role.PARTY_SECRETARY)

    drafted = await client.put(
        f"/v1/topics/{topic.id}/poll", json=draft_body(stage, entrance), headers=clerk
    )
    assert drafted.status_code == 200, drafted.text
    poll = drafted.json()
    assert (poll["state"], poll["warnings"], poll["turnout"]) == ("draft", [], None)
    home = f"/v1/polls/{poll['id']}"
    assert (await client.get(home)).status_code == 404
    refused = await client.put(f"{home}/announcement", headers=clerk)
    assert (refused.status_code, refused.json()["code"]) == (403, "poll-needs-second-person")

    announced = (await client.put(f"{home}/announcement", headers=secretary)).json()
    assert announced["eligible"] == {"heads": 12, "area_dm2": 85530}
    assert announced["scope_name"] == "桐荫苑3幢5单元"
    early = await client.put(
        f"{home}/ballot", json=answers("for"), headers=bearer(world, owners[0])
    )
    assert (early.status_code, early.json()["code"]) == (409, "poll-not-open")

    stage.clock.now += timedelta(days=16)
    await stage.work()
    receipts = []
    for index, owner in enumerate(owners):
        cast = await client.put(
            f"{home}/ballot",
            json=answers("against" if index < 2 else "for"),
            headers=bearer(world, owner),
        )
        assert cast.status_code == 200, cast.text
        receipts.append(cast.json()["receipt"])
    assert len(set(receipts)) == 12
    again = await client.put(
        f"{home}/ballot", json=answers("for"), headers=bearer(world, owners[2])
    )
    assert again.json()["receipt"] == receipts[2]
    other = await client.put(
        f"{home}/ballot", json=answers("for"), headers=bearer(world, owners[0])
    )
    assert (other.status_code, other.json()["code"]) == (409, "already-voted")
    mine = (await client.get(f"{home}/ballot", headers=bearer(world, owners[0]))).json()
    assert mine["answers"] == [{"item": 1, "choices": ["against"]}]

    shown = (await client.get(home)).json()
    assert (shown["state"], shown["result"], shown["wording"]) == ("open", None, [])
    assert shown["turnout"] == {"heads": 12, "area_dm2": 85530}
    assert [check["needed"] for check in shown["turnout_progress"]] == [8, 57020]

    await stage.closed(UUID(poll["id"]))
    public = (await client.get(home)).json()
    assert (public["state"], public["result"], public["result_digest"]) == ("closed", None, None)
    digest = ""
    others = await stage.other_tellers()  # ten where nine are needed is close
    for name, role in (
        ("teller1", Role.TELLER),
        ("teller2", Role.TELLER),
        ("supervisor", Role.SUPERVISOR),
        *((other, Role.TELLER) for other in others),
    ):
        headers = world.headers(name, role)
        digest = (await client.get(home, headers=headers)).json()["result_digest"]
        signed = await client.put(
            f"{home}/signature", json={"result_digest": digest}, headers=headers
        )
        assert signed.status_code == 200, signed.text

    visitor = (await client.get(home)).json()
    assert (visitor["state"], visitor["result"]["verdict"]) == ("published", "passed")
    assert visitor["result_digest"] is None  # it would let one try out exact areas
    result = (await client.get(home, headers=bearer(world, owners[0]))).json()
    assert result["result_digest"] == digest
    assert [one["role"] for one in result["signatures"]].count("teller") == 4
    assert "表决通过。" in result["wording"]
    english = (await client.get(home, headers={"accept-language": "en"})).json()
    assert "Passed." in english["wording"]
    assert any("about 83.33 %" in sentence for sentence in english["wording"])

    listed = (await client.get(f"/v1/topics/{topic.id}/polls")).json()
    assert [(one["id"], one["verdict"]) for one in listed["items"]] == [(poll["id"], "passed")]
    assert listed["next_cursor"] is None


async def test_the_named_ballots_are_paged_for_a_teller_after_the_close(
    client: httpx.AsyncClient, stage: Stage, world: World
) -> None:
    poll, owners = await stage.lift_poll()
    await stage.vote(poll.id, owners, "f" * 9 + "aao")
    teller = world.headers("teller1", Role.TELLER)
    path = f"/v1/polls/{poll.id}/ballots"
    sealed = await client.get(path, headers=teller)
    assert (sealed.status_code, sealed.json()["code"]) == (409, "choices-sealed")

    await stage.closed(poll.id)
    teller = world.headers("teller1", Role.TELLER)  # a week later: a fresh token
    first = (await client.get(path, params={"limit": 10}, headers=teller)).json()
    second = (
        await client.get(path, params={"cursor": first["next_cursor"]}, headers=teller)
    ).json()
    ballots = first["items"] + second["items"]
    assert (len(first["items"]), len(second["items"]), second["next_cursor"]) == (10, 2, None)
    assert [one["number"] for one in ballots] == list(range(1, 13))
    assert [one["answers"][0]["choices"] for one in ballots].count(["against"]) == 2
    assert {one["label"] for one in ballots} == {"3幢 王*"}


async def test_the_roll_is_public_and_masked_and_one_sees_ones_own_place(
    client: httpx.AsyncClient, stage: Stage, world: World
) -> None:
    poll, owners = await stage.lift_poll()
    first = (await client.get(f"/v1/polls/{poll.id}/roll", params={"limit": 5})).json()
    rest = (
        await client.get(f"/v1/polls/{poll.id}/roll", params={"cursor": first["next_cursor"]})
    ).json()

    places = first["items"] + rest["items"]
    assert [place["number"] for place in places] == list(range(1, 13))
    assert all(place.keys() == {"number", "label"} for place in places)
    assert {place["label"] for place in places} == {"3幢 王*"}

    path = f"/v1/polls/{poll.id}/eligibility"
    own = (await client.get(path, headers=bearer(world, owners[3]))).json()
    assert (own["on_roll"], own["area_dm2"], own["voted"]) == (True, 7420, False)
    assert len(own["units"]) == 1
    other = (await client.get(path, headers=world.headers("resident1"))).json()
    assert (other["on_roll"], other["number"], other["units"]) == (False, None, [])
    none = await client.get(f"/v1/polls/{poll.id}/ballot", headers=bearer(world, owners[3]))
    assert (none.status_code, none.json()["code"]) == (404, "not-found")


async def test_staff_enter_a_ballot_and_the_choice_does_not_come_back(
    client: httpx.AsyncClient, stage: Stage, world: World
) -> None:
    poll, _ = await stage.lift_poll()
    body = answers("against") | {
        "consent_note": "本人口述",
        "helper_id": str(world.id("resident6")),
    }
    entered = await client.put(
        f"/v1/polls/{poll.id}/roll/3/ballot",
        json=body,
        headers=world.headers("grid_worker", Role.GRID_WORKER),
    )

    assert entered.status_code == 200, entered.text
    assert entered.json().keys() == {"poll_id", "receipt", "cast_at", "tracker"}
    assert entered.json()["tracker"] is None


async def test_the_votes_of_a_meeting_come_in_one_request(
    client: httpx.AsyncClient, stage: Stage, world: World
) -> None:
    members = await stage.assembly(world.community, 73, OrgKind.RESIDENTS_COMMITTEE)
    topic = await stage.topic("urban_reps_2026", world.community)
    meeting = await stage.meeting(topic, members[:60])
    poll = await stage.opened("urban_reps_2026", topic, world.community, meeting_id=meeting.id)
    numbers = {place.person_id: place.number for place in (await stage.roll(poll.id)).values()}
    body = {
        "channel": "show_of_hands",
        "votes": [{"number": numbers[one], **answers("for")} for one in members[:60]],
    }

    answer = await client.put(
        f"/v1/polls/{poll.id}/meeting-votes",
        json=body,
        headers=world.headers("teller1", Role.TELLER),
    )
    assert answer.json() == {"recorded": 60}
    hidden = (await client.get(f"/v1/polls/{poll.id}")).json()
    assert (hidden["turnout"], hidden["turnout_progress"]) == (None, [])


async def test_who_sits_by_office_votes_by_phone_without_living_here(
    client: httpx.AsyncClient, stage: Stage, world: World
) -> None:
    members = await stage.assembly(world.community, 3, OrgKind.RESIDENTS_COMMITTEE)
    topic = await stage.topic("urban_reps_2026", world.community)
    here = [*members, world.id("secretary"), world.id("deputy")]
    meeting = await stage.meeting(topic, here)
    poll = await stage.opened("urban_reps_2026", topic, world.community, meeting_id=meeting.id)
    offices = {"secretary": Role.PARTY_SECRETARY, "deputy": Role.COMMITTEE_HEAD}
    receipts = set()
    for name, role in offices.items():
        for headers in (world.headers(name), world.headers(name, role)):
            cast = await client.put(
                f"/v1/polls/{poll.id}/ballot", json=answers("for"), headers=headers
            )
            assert cast.status_code == 200, cast.text
            receipts.add(cast.json()["receipt"])
        mine = await client.get(f"/v1/polls/{poll.id}/ballot", headers=world.headers(name))
        assert mine.json()["answers"] == [{"item": 1, "choices": ["for"]}]
    assert len(receipts) == 2  # the same ballot under the role has the receipt of the first

    for headers, code in (
        (world.headers("visitor"), "not-permitted"),
        (world.headers("resident2"), "not-on-roll"),
        (world.headers("clerk", Role.CLERK), "not-on-roll"),
    ):
        refused = await client.put(
            f"/v1/polls/{poll.id}/ballot", json=answers("for"), headers=headers
        )
        assert (refused.status_code, refused.json()["code"]) == (403, code)


async def test_a_binding_preset_with_unconfirmed_numbers_warns_in_the_draft(
    client: httpx.AsyncClient, stage: Stage, world: World
) -> None:
    topic = await stage.topic("urban_reps_2026", world.community)
    draft = stage.draft("urban_reps_2026", world.community)
    body = draft_body(stage, world.community) | {
        "preset": draft.preset,
        "opens_at": draft.opens_at.isoformat(),
        "closes_at": draft.closes_at.isoformat(),
    }
    answer = await client.put(
        f"/v1/topics/{topic.id}/poll", json=body, headers=world.headers("clerk", Role.CLERK)
    )

    (warning,) = answer.json()["warnings"]
    assert warning["code"] == "preset_to_confirm"
    assert "待核实" in warning["text"]


async def test_an_extension_and_a_late_opening_are_the_conveners(
    client: httpx.AsyncClient, stage: Stage, world: World
) -> None:
    poll, _ = await stage.lift_poll()
    later = (poll.closes_at + timedelta(days=3)).isoformat()
    body = {"closes_at": later, "reason": "部分业主外出"}
    path = f"/v1/polls/{poll.id}/extension"
    clerk = await client.put(path, json=body, headers=world.headers("clerk", Role.CLERK))
    assert clerk.status_code == 403
    secretary = world.headers("secretary", Role.PARTY_SECRETARY)
    extended = await client.put(path, json=body, headers=secretary)
    assert extended.status_code == 200, extended.text
    assert extended.json()["extensions"] == 1
    opened = await client.put(f"/v1/polls/{poll.id}/opening", headers=secretary)
    assert opened.json()["state"] == "open"


@pytest.mark.parametrize(
    "change",
    [
        {"items": []},
        {"question": ""},
        {"opens_at": "2026-06-10T00:00:00"},
        {"unknown": 1},
        {"items": [{"text": "甲", "choices": ["for"]}]},
        {"result": "通过"},
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_a_malformed_draft_is_refused(
    client: httpx.AsyncClient, stage: Stage, world: World, change: dict[str, Any]
) -> None:
    entrance = world.nodes["entrance"]
    topic = await stage.topic("lift_scope_owners", entrance)
    answer = await client.put(
        f"/v1/topics/{topic.id}/poll",
        json=draft_body(stage, entrance, **change),
        headers=world.headers("clerk", Role.CLERK),
    )

    assert (answer.status_code, answer.json()["code"]) == (422, "malformed-request")


IDS = re.compile(
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|T-[0-9a-f]{8}|[0-9a-f]{64}|\b[0-9a-f]{16}\b"
)


def reads() -> Iterator[str]:
    """Every address that can be read about one topic or one poll."""
    for path, deeds in contract.openapi()["paths"].items():
        names = set(re.findall(r"{(\w+)}", path))
        if "get" in deeds and names and names <= {"topic_id", "poll_id"}:
            yield path


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_nobody_can_tell_two_polls_apart_by_their_ballots_before_the_close(
    client: httpx.AsyncClient, stage: Stage, world: World
) -> None:
    """Two topics alike, two polls alike, the same people voting at the same time: in one all for,
    in the other all against. Whoever reads whatever, both look the same until they are closed."""
    entrance, owners = await stage.lift()
    topics, polls = [], []
    for _ in range(2):
        topic = await stage.topic("lift_scope_owners", entrance)
        polls.append(await stage.announced("lift_scope_owners", topic, entrance))
        topics.append(topic)
    stage.clock.now = polls[0].opens_at
    await stage.work()
    for poll, letter in zip(polls, "fa", strict=True):
        await stage.vote(poll.id, owners, letter * 11 + ".")

    addresses = list(reads())
    assert len([path for path in addresses if "poll_id" in path]) >= 5
    close = [
        {},
        bearer(world, owners[11]),
        world.headers("teller1", Role.TELLER),
        world.headers("supervisor", Role.SUPERVISOR),
        world.headers("clerk", Role.CLERK),
    ]
    everybody = [
        *close,
        *(world.headers(name, role) for name, role in world.assignments),
        *(world.headers(name) for name in ("tenant", "visitor", "neighbour")),
    ]
    for path in addresses:
        for headers in everybody if "poll_id" in path else close:
            one, other = [
                await client.get(path.format(topic_id=topic.id, poll_id=poll.id), headers=headers)
                for topic, poll in zip(topics, polls, strict=True)
            ]
            assert one.status_code == other.status_code
            assert IDS.sub("#", one.text) == IDS.sub("#", other.text), path

    for poll in polls:
        await stage.published(poll.id)
    shown = [(await client.get(f"/v1/polls/{poll.id}")).json()["result"] for poll in polls]
    assert [result["verdict"] for result in shown] == ["passed", "not_passed"]


async def test_reading_a_poll_costs_the_same_for_two_and_for_two_hundred_ballots(
    client: httpx.AsyncClient, stage: Stage
) -> None:
    costs = []
    for size in (2, 200):
        estate, people = await stage.households(size, name=f"{size}户")
        topic = await stage.topic("household_poll", estate)
        poll = await stage.opened("household_poll", topic, estate)
        await stage.vote(poll.id, people, "f" * size)
        measuring.statements.pop("get_poll", None)
        answer = await client.get(f"/v1/polls/{poll.id}")
        assert answer.json()["turnout"]["heads"] == size
        costs.append(measuring.statements["get_poll"])

    assert costs[0] == costs[1] <= 4
