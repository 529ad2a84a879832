"""Screening and transfers over HTTP: the exits of a topic, and the people each step is refused."""

from typing import Any

import httpx

from consultation.permissions import Role
from tests.api.test_topics import CLASSIFICATION, NOTE, PROPOSAL, accept, raise_topic
from tests.world import World

CLERK = ("clerk", Role.CLERK)
SECRETARY = ("secretary", Role.PARTY_SECRETARY)
SUPERVISOR = ("supervisor", Role.SUPERVISOR)
ENFORCER = ("enforcer", Role.GOVERNMENT)


async def post(
    client: httpx.AsyncClient, world: World, who: tuple[Any, ...], path: str, **body: Any
) -> httpx.Response:
    return await client.post(path, headers=world.headers(*who), json=body)


async def test_a_topic_is_returned_completed_and_accepted(
    client: httpx.AsyncClient, world: World
) -> None:
    home = f"/v1/topics/{await raise_topic(client, world)}"
    waiting = await client.get("/v1/worklist", headers=world.headers(*CLERK))
    [duty] = waiting.json()["items"]
    assert duty["topic"]["number"] == "2026-001"
    assert (duty["next"], duty["next_text"]) == ("return_topic", "审查材料,不齐的退回补正")
    refused = await post(client, world, ("resident2",), f"{home}/return", reason="不行")
    assert (refused.status_code, refused.json()["code"]) == (403, "not-permitted")

    returned = await post(client, world, CLERK, f"{home}/return", reason="请写明受影响的人")
    assert returned.json()["state"] == "returned"
    own = (await client.get(f"{home}/timeline", headers=world.headers("resident1"))).json()
    assert own["items"][-1]["reason"] == "请写明受影响的人"
    await client.put(
        f"{home}/proposal",
        headers=world.headers("resident1"),
        json={"proposal": PROPOSAL | {"affected": ["一层业主", "租户"]}},
    )
    again = await post(client, world, ("resident1",), f"{home}/submission")
    assert again.json()["rule"] == "T2a"

    stale = await post(
        client,
        world,
        SECRETARY,
        f"{home}/acceptance",
        classification=CLASSIFICATION,
        note=NOTE,
        expected_version=2,
    )
    assert (stale.status_code, stale.json()["code"]) == (409, "topic-changed")
    wrong = await post(
        client,
        world,
        SECRETARY,
        f"{home}/acceptance",
        classification=CLASSIFICATION | {"matter_list": "outside_lists"},
        note=NOTE,
    )
    assert wrong.json()["detail"] == ("还不能进行这一步:两份清单之外的事项应当转办,不由社区自办。")
    await accept(client, world, home)


async def test_two_persons_reject_and_an_independent_body_decides_the_appeal(
    client: httpx.AsyncClient, world: World
) -> None:
    home = f"/v1/topics/{await raise_topic(client, world)}"
    proposed = await post(
        client,
        world,
        CLERK,
        f"{home}/rejection-proposal",
        reason_code="not_public",
        reason="属于邻里私事",
    )
    assert proposed.status_code == 201
    author = (await client.get(home, headers=world.headers("resident1"))).json()
    assert author["rejection"] is None  # not before it is confirmed
    confirmed = await post(client, world, SECRETARY, f"{home}/rejection")
    assert confirmed.json()["state"] == "rejected"
    author = (await client.get(home, headers=world.headers("resident1"))).json()
    assert author["rejection"]["reason_text"] == "属于个人事务,不是公共事项"
    assert author["rejection"]["appeal_until"] is not None

    appealed = await post(client, world, ("resident1",), f"{home}/appeal", reason="全楼受影响")
    assert appealed.status_code == 201
    twice = await post(client, world, ("resident1",), f"{home}/appeal", reason="再申请")
    assert (twice.status_code, twice.json()["code"]) == (409, "appeal-already-made")
    decided = await post(
        client, world, SUPERVISOR, f"{home}/appeal-decision", upheld=True, opinion="涉及全楼"
    )
    assert decided.json()["state"] == "submitted"


async def test_one_topic_is_merged_into_another(client: httpx.AsyncClient, world: World) -> None:
    target = await raise_topic(client, world)
    twin = await raise_topic(client, world, "resident2")
    itself = await post(
        client, world, SECRETARY, f"/v1/topics/{twin}/merge", into_id=twin, reason="重复"
    )
    assert (itself.status_code, itself.json()["code"]) == (422, "merge-target-unsuitable")
    merged = await post(
        client, world, SECRETARY, f"/v1/topics/{twin}/merge", into_id=target, reason="重复"
    )
    assert merged.json()["state"] == "merged"
    read = await client.get(f"/v1/topics/{twin}", headers=world.headers("resident2"))
    assert read.json()["merged_into"]["number"] == "2026-001"


async def test_a_transfer_is_received_answered_relayed_and_rated(
    client: httpx.AsyncClient, world: World
) -> None:
    id = await raise_topic(client, world)
    bad = await post(
        client,
        world,
        SECRETARY,
        f"/v1/topics/{id}/transfers",
        receiver_org_id=str(world.orgs["party_org"].id),
        reason="转办",
    )
    assert (bad.status_code, bad.json()["code"]) == (422, "receiver-unsuitable")
    sent = await post(
        client,
        world,
        SECRETARY,
        f"/v1/topics/{id}/transfers",
        receiver_org_id=str(world.orgs["enforcement"].id),
        reason="路灯由城管维护",
    )
    assert sent.status_code == 201
    transfer = f"/v1/transfers/{sent.json()['id']}"
    inbox = await client.get("/v1/transfers", headers=world.headers(*ENFORCER))
    (item,) = inbox.json()["items"]
    assert (item["title"], item["problem"], item["overdue"]) == (
        PROPOSAL["title"],
        PROPOSAL["problem"],
        False,
    )
    assert (item["next"], item["next_text"]) == ("receive_transfer", "签收转办事项")
    summary = (await client.get(f"/v1/topics/{id}")).json()
    assert (summary["problem"], summary["transfer"]["receiver"]) == (None, "区综合执法局")

    stranger = await post(client, world, CLERK, f"{transfer}/answer", answer="代答")
    assert (stranger.status_code, stranger.json()["code"]) == (403, "not-the-receiver")
    received = await post(client, world, ENFORCER, f"{transfer}/receipt", ticket="QX-12")
    assert received.json()["state_text"] == "已接收"
    handled = await client.post(f"{transfer}/handling", headers=world.headers(*ENFORCER))
    assert handled.json()["state"] == "handling"
    early = await client.post(f"{transfer}/relay", headers=world.headers(*CLERK))
    assert (early.status_code, early.json()["code"]) == (409, "transfer-step-not-allowed")
    await post(client, world, ENFORCER, f"{transfer}/answer", answer="已更换灯具")
    hidden = (await client.get(f"/v1/topics/{id}")).json()
    assert hidden["transfer"]["answer"] is None
    await client.post(f"{transfer}/relay", headers=world.headers(*CLERK))
    shown = (await client.get(f"/v1/topics/{id}")).json()
    assert (shown["transfer"]["answer"], shown["transfer"]["ticket"]) == ("已更换灯具", "QX-12")
    rated = await post(client, world, ("resident1",), f"{transfer}/rating", rating=5)
    assert rated.json()["rating"] == 5


async def test_what_is_given_back_is_taken_back(client: httpx.AsyncClient, world: World) -> None:
    id = await raise_topic(client, world)
    sent = await post(
        client,
        world,
        SECRETARY,
        f"/v1/topics/{id}/transfers",
        receiver_org_id=str(world.orgs["enforcement"].id),
        reason="路灯由城管维护",
    )
    given = await post(
        client,
        world,
        ENFORCER,
        f"/v1/transfers/{sent.json()['id']}/giving-back",
        reason="不属本局职责",
    )
    assert given.json()["return_reason"] == "不属本局职责"
    taken = await post(
        client,
        world,
        SECRETARY,
        f"/v1/topics/{id}/taking-back",
        classification=CLASSIFICATION,
        note=NOTE,
        reason="可以由社区自办",
    )
    assert (taken.json()["rule"], taken.json()["state"]) == ("T6a", "accepted")
