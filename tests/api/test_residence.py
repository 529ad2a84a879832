"""From a claim on the phone to a verified resident, over HTTP."""

from typing import Any

import httpx
from sqlmodel import select

from consultation.database import Database
from consultation.permissions import Role
from notifications.wechat.tables import WechatAccount
from tests.fake_wechat import FakeWechat, bearer, log_in
from tests.world import World


async def account(
    client: httpx.AsyncClient, fake: FakeWechat, openid: str = "o1", phone: str = "13800001234"
) -> dict[str, Any]:
    session = await log_in(client, fake, openid, phone=phone)
    body = {"code": await fake.phone_code(openid)}
    await client.post("/v1/me/phone", json=body, headers=bearer(session))
    return session


async def claim(
    client: httpx.AsyncClient, world: World, session: dict[str, Any], **changes: Any
) -> httpx.Response:
    body = {
        "kind": "tenant",
        "address": "桐荫苑3幢2单元101",
        "place_id": str(world.nodes["entrance"].id),
        "name": "何小满",
    }
    return await client.put(
        f"/v1/communities/{world.community.id}/my-residence",
        json=body | changes,
        headers=bearer(session),
    )


async def test_a_tenant_claims_and_is_verified_by_the_grid_worker(
    client: httpx.AsyncClient, fake_wechat: FakeWechat, world: World
) -> None:
    session = await account(client, fake_wechat)
    worker = world.headers("grid_worker", Role.GRID_WORKER)

    made = (await claim(client, world, session)).json()
    page = (
        await client.get(f"/v1/communities/{world.community.id}/residence-claims", headers=worker)
    ).json()
    homes = (
        await client.get(f"/v1/residence-claims/{made['id']}/homes?code=2-101", headers=worker)
    ).json()["items"]
    verified = await client.put(
        f"/v1/residence-claims/{made['id']}/verification",
        json={"household_id": homes[0]["household_id"]},
        headers=worker,
    )
    me = (await client.get("/v1/me", headers=bearer(session))).json()

    assert (made["level"], made["method"]) == (1, None)
    assert [(c["name"], c["address"], c["phone"]) for c in page["items"]] == [
        ("何小满", "桐荫苑3幢2单元101", "138****1234")
    ]
    assert homes[0]["unit_code"] == "桐荫苑-3-2-101"
    assert homes[0]["people"] == [{"id": str(world.id("resident1")), "masked_name": "居*"}]
    assert (verified.json()["level"], verified.json()["method"]) == (2, "grid_worker")
    assert me["masked_name"] == "何**"
    assert [(r["level"], r["claim"]) for r in me["residences"]] == [(2, None)]


async def test_a_recognised_owner_goes_on_as_the_registered_person_after_a_refresh(
    client: httpx.AsyncClient, fake_wechat: FakeWechat, world: World, db: Database
) -> None:
    session = await account(client, fake_wechat)
    worker = world.headers("grid_worker", Role.GRID_WORKER)
    made = (await claim(client, world, session, kind="owner")).json()

    verified = await client.put(
        f"/v1/residence-claims/{made['id']}/verification",
        json={
            "unit_id": str(world.units[0].id),
            "registered_person_id": str(world.id("resident1")),
        },
        headers=worker,
    )

    assert verified.status_code == 200
    old = await client.get("/v1/me", headers=bearer(session))
    renewed = await client.post(
        "/v1/session/refresh", json={"refresh_token": session["refresh_token"]}
    )
    assert old.json()["code"] == "account-joined"
    assert renewed.json()["person_id"] == str(world.id("resident1"))
    async with db.read() as tx:
        assert (await tx.session.exec(select(WechatAccount))).one().person_id == world.id(
            "resident1"
        )


async def test_a_refused_claimant_reads_the_reason_and_the_queue_is_empty(
    client: httpx.AsyncClient, fake_wechat: FakeWechat, world: World
) -> None:
    session = await account(client, fake_wechat)
    clerk = world.headers("clerk", Role.CLERK)
    made = (await claim(client, world, session, place_id=None)).json()

    refused = await client.put(
        f"/v1/residence-claims/{made['id']}/refusal",
        json={"reason": "名册中没有这位租户"},
        headers=clerk,
    )

    me = (await client.get("/v1/me", headers=bearer(session))).json()
    queue = await client.get(
        f"/v1/communities/{world.community.id}/residence-claims", headers=clerk
    )
    again = await client.put(
        f"/v1/residence-claims/{made['id']}/refusal", json={"reason": "再拒一次"}, headers=clerk
    )
    assert refused.status_code == 204
    assert me["residences"][0]["refusal_reason"] == "名册中没有这位租户"
    assert queue.json() == {"items": [], "next_cursor": None}
    assert (again.status_code, again.json()["code"]) == (409, "claim-already-decided")


async def test_the_queue_is_paged_oldest_first(
    client: httpx.AsyncClient, fake_wechat: FakeWechat, world: World, clock: Any
) -> None:
    made = []
    for number in range(3):
        session = await account(client, fake_wechat, f"o{number}", f"1380000000{number}")
        made.append((await claim(client, world, session)).json()["id"])
        clock.advance(seconds=1)
    path = f"/v1/communities/{world.community.id}/residence-claims"
    worker = world.headers("grid_worker", Role.GRID_WORKER)

    first = (await client.get(path, params={"limit": 2}, headers=worker)).json()
    rest = (
        await client.get(path, params={"limit": 2, "cursor": first["next_cursor"]}, headers=worker)
    ).json()

    assert [c["id"] for c in first["items"] + rest["items"]] == made
    assert rest["next_cursor"] is None


async def test_bodies_of_another_shape_are_refused(
    client: httpx.AsyncClient, fake_wechat: FakeWechat, world: World
) -> None:
    session = await account(client, fake_wechat)
    for changes in ({"level": 2}, {"kind": "king"}, {"address": "x"}, {"person_id": "1"}):
        answer = await claim(client, world, session, **changes)
        assert (answer.status_code, answer.json()["code"]) == (422, "malformed-request")
    made = (await claim(client, world, session)).json()
    worker = world.headers("grid_worker", Role.GRID_WORKER)
    for body in (
        {},
        {"household_id": None},
        {"household_id": "x"},
        {"unit_id": made["id"], "a": 1},
    ):
        answer = await client.put(
            f"/v1/residence-claims/{made['id']}/verification", json=body, headers=worker
        )
        assert (answer.status_code, answer.json()["code"]) == (422, "malformed-request")


async def test_a_stranger_learns_nothing_of_a_claim(
    client: httpx.AsyncClient, fake_wechat: FakeWechat, world: World
) -> None:
    made = (await claim(client, world, await account(client, fake_wechat))).json()
    path = f"/v1/communities/{world.community.id}/residence-claims"

    for headers in (
        world.headers("resident2"),
        world.headers("neighbour"),
        world.headers("secretary", Role.PARTY_SECRETARY),
    ):
        listed = await client.get(path, headers=headers)
        homes = await client.get(f"/v1/residence-claims/{made['id']}/homes?code=1", headers=headers)
        assert listed.status_code == homes.status_code == 403
        assert "何小满" not in listed.text + homes.text
    assert (await client.get(path)).status_code == 401
