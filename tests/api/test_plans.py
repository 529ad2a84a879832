"""Preparing, announcing and ending a deliberation over HTTP."""

from typing import Any

import httpx

from consultation.database import Database
from consultation.permissions import Role
from consultation.topics.states import State
from tests.api.test_screening import CLERK, SECRETARY, post
from tests.api.test_topics import accept, raise_topic
from tests.conftest import ManualClock
from tests.consultation.topics.story import run_due
from tests.world import World, a_topic

PLAN: dict[str, Any] = {
    "groups": [{"name": "一层业主", "affected": True}, {"name": "其他业主"}],
    "forms": [{"form": "online_deliberation"}],
    "deliberation_ends": "2026-05-30",
    "text": "线上协商,必要时上门听取意见。",
}
NOTICE = {"title": "协商公告", "body": "现就加装电梯事项开展协商。"}


async def test_a_topic_is_prepared_announced_deliberated_and_closed(
    client: httpx.AsyncClient, world: World, db: Database, clock: ManualClock
) -> None:
    home = f"/v1/topics/{await raise_topic(client, world)}"
    await accept(client, world, home)
    prepared = await client.post(f"{home}/preparation", headers=world.headers(*CLERK))
    assert prepared.json()["state"] == "preparing"

    bad = await client.put(
        f"{home}/plan",
        headers=world.headers(*CLERK),
        json=PLAN | {"forms": [{"form": "tea_party"}]},
    )
    assert (bad.status_code, bad.json()["code"]) == (422, "form-unknown")
    saved = await client.put(f"{home}/plan", headers=world.headers(*CLERK), json=PLAN)
    assert saved.json()["legality_ok"] is None
    asked = await client.put(
        f"{home}/participation",
        headers=world.headers("tenant"),
        json={"group_name": "租户", "reason": "租住一层"},
    )
    assert asked.json()["state_text"] == "待答复"
    added = await post(
        client,
        world,
        CLERK,
        f"{home}/documents",
        kind="material",
        title="比选材料",
        body="三种方案",
    )
    assert (added.status_code, added.json()["public"]) == (201, False)
    wrong = await post(
        client, world, CLERK, f"{home}/documents", kind="tally_sheet", title="计票", body="假的"
    )
    assert wrong.json()["code"] == "document-kind-not-allowed"
    lawful = await client.put(
        f"{home}/plan/legality",
        headers=world.headers(*CLERK),
        json={"lawful": True, "opinion": "符合规定"},
    )
    assert lawful.json()["legality_ok"] is True

    early = await post(client, world, SECRETARY, f"{home}/announcement", notice=NOTICE)
    assert early.json()["detail"] == "还不能进行这一步:有参加申请尚未答复。"
    assert early.json()["facts"] == {"gate": "plan_complete", "missing": ["participant_requests"]}
    requests = await client.get(f"{home}/participation-requests", headers=world.headers(*CLERK))
    (request,) = requests.json()["items"]
    assert request["person"] == "李*"
    answered = await post(
        client,
        world,
        CLERK,
        f"/v1/participation-requests/{request['id']}/answer",
        granted=True,
        answer="已列入",
    )
    assert answered.json()["state"] == "granted"
    declared = await client.put(
        f"{home}/interest",
        headers=world.headers("teller1", Role.TELLER),
        json={"has_interest": False},
    )
    assert declared.json()["has_interest"] is False
    hidden = await client.get(f"{home}/plan")
    assert hidden.status_code == 404  # in the making, for verified residents
    announced = await post(client, world, SECRETARY, f"{home}/announcement", notice=NOTICE)
    assert announced.json()["state"] == "announced"

    plan = (await client.get(f"{home}/plan")).json()
    assert (plan["groups"][0]["affected"], len(plan["digest"])) == (True, 64)
    frozen = await client.put(f"{home}/plan", headers=world.headers(*CLERK), json=PLAN)
    assert (frozen.status_code, frozen.json()["code"]) == (409, "plan-frozen")
    file = (await client.get(f"{home}/documents")).json()["items"]
    material = next(document for document in file if document["kind"] == "material")
    corrected = await post(
        client,
        world,
        CLERK,
        f"/v1/documents/{material['id']}/corrections",
        title="比选材料",
        body="四种方案",
        reason="补充一种",
    )
    assert (corrected.status_code, corrected.json()["version"]) == (201, 2)

    clock.advance(days=6)
    await run_due(db)
    extended = await post(
        client,
        world,
        SECRETARY,
        f"{home}/deliberation/extension",
        until="2026-06-10",
        reason="等待检测报告",
    )
    assert extended.json()["extended_to"] == "2026-06-10"
    read = (await client.get(home, headers=world.headers(*SECRETARY))).json()
    assert read["permitted_acts"] == ["agree_withdrawal", "close_deliberation", "escalate"]
    closed = await post(client, world, ("deputy", Role.HOST), f"{home}/deliberation/close")
    assert closed.json()["state"] == "outcome_drafting"


async def test_a_matter_goes_before_the_assembly_or_is_consulted_on_again(
    client: httpx.AsyncClient, world: World, db: Database
) -> None:
    disputed = await a_topic(db, world, state=State.OUTCOME_DRAFTING)
    home = f"/v1/topics/{disputed.id}"
    escalated = await post(
        client, world, SECRETARY, f"{home}/escalation", reason="分歧较大", motion=NOTICE
    )
    assert escalated.json()["state"] == "escalated_to_assembly"
    prepared = await client.post(f"{home}/assembly-preparation", headers=world.headers(*CLERK))
    assert (prepared.json()["state"], prepared.json()["round"]) == ("preparing", 2)

    failed = await a_topic(db, world, state=State.NO_QUORUM)
    body = {"ground": "changed_plan", "reason": "参与不足", "changes": ["改在周末"]}
    refused = await post(client, world, CLERK, f"/v1/topics/{failed.id}/reconsultation", **body)
    assert refused.status_code == 403
    again = await post(client, world, SECRETARY, f"/v1/topics/{failed.id}/reconsultation", **body)
    assert again.json()["state"] == "reconsultation"
    timeline = (await client.get(f"/v1/topics/{failed.id}/timeline")).json()["items"]
    assert timeline[-1]["changes"] == ["改在周末"]
