from uuid import uuid4

import httpx

from consultation.permissions import Role
from tests.world import World


async def test_everybody_sees_the_communities_and_their_tree(
    client: httpx.AsyncClient, world: World
) -> None:
    page = (await client.get("/v1/communities?limit=1")).json()
    assert [item["code"] for item in page["items"]] == ["community"]
    rest = (await client.get(f"/v1/communities?cursor={page['next_cursor']}")).json()
    assert [item["code"] for item in rest["items"]] == ["other"]
    assert rest["next_cursor"] is None

    detail = (await client.get(f"/v1/communities/{world.community.id}")).json()
    assert [level["name"] for level in detail["levels"]] == ["宁澜市", "青溪区", "柳叶街道"]
    assert {n["kind"]: n["count"] for n in detail["nodes"]} == {
        "grid": 2,
        "estate": 1,
        "building": 1,
        "entrance": 1,
    }

    below = (await client.get(f"/v1/communities/{world.community.id}/nodes")).json()
    assert [node["name"] for node in below["items"]] == ["桐荫苑", "G02", "G03"]
    estate = world.nodes["estate"].id
    inside = await client.get(f"/v1/communities/{world.community.id}/nodes?parent={estate}")
    assert [node["name"] for node in inside.json()["items"]] == ["3幢"]

    orgs = (await client.get(f"/v1/communities/{world.community.id}/organisations")).json()
    assert {"梧桐里社区党委", "柳叶街道办事处", "12345热线"} <= {o["name"] for o in orgs["items"]}


async def test_what_is_not_a_community_is_not_found_as_one(
    client: httpx.AsyncClient, world: World
) -> None:
    for path in ("", "/nodes", "/organisations", "/roles"):
        answer = await client.get(f"/v1/communities/{world.nodes['estate'].id}{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "not-found")
        assert (await client.get(f"/v1/communities/{uuid4()}{path}")).status_code == 404


async def test_homes_are_for_the_clerk_and_for_the_grid_worker_of_the_grid(
    client: httpx.AsyncClient, world: World
) -> None:
    clerk = world.headers("clerk", Role.CLERK)
    worker = world.headers("grid_worker", Role.GRID_WORKER)
    estate, grid, grid2 = (world.nodes[n].id for n in ("estate", "grid", "grid2"))

    for place in (world.nodes["community"].id, estate, world.nodes["entrance"].id, grid):
        for headers in (clerk, worker):
            units = (await client.get(f"/v1/nodes/{place}/units", headers=headers)).json()["items"]
            assert [(u["code"][-3:], u["area_dm2"]) for u in units] == [
                ("101", 6835),
                ("102", 7420),
                ("201", 6835),
                ("202", 7420),
                ("301", 6835),
                ("302", 7420),
            ]
            homes = await client.get(f"/v1/nodes/{place}/households", headers=headers)
            assert [h["code"] for h in homes.json()["items"]] == [f"H{n}" for n in range(1, 7)]
    assert units[0]["owners"] == [
        {"person_id": str(world.id("resident1")), "name": "居*", "named_voter": True}
    ]
    assert homes.json()["items"][0]["representative"] == "居*"
    for headers in (clerk, worker):
        empty = await client.get(f"/v1/nodes/{grid2}/units", headers=headers)
        assert empty.json()["items"] == []

    page = await client.get(f"/v1/nodes/{estate}/units?limit=4", headers=clerk)
    rest = await client.get(
        f"/v1/nodes/{estate}/units?limit=4&cursor={page.json()['next_cursor']}", headers=clerk
    )
    assert [u["code"][-3:] for u in rest.json()["items"]] == ["301", "302"]


async def test_homes_are_for_nobody_else(client: httpx.AsyncClient, world: World) -> None:
    estate = world.nodes["estate"].id
    others = [
        world.headers("resident1"),
        world.headers("secretary", Role.PARTY_SECRETARY),
        world.headers("company", Role.PROPERTY_COMPANY),
        world.headers("supervisor", Role.SUPERVISOR),
        world.headers("admin", Role.SYSTEM_ADMIN),
    ]
    for what in ("units", "households"):
        assert (await client.get(f"/v1/nodes/{estate}/{what}")).status_code == 401
        for headers in others:
            answer = await client.get(f"/v1/nodes/{estate}/{what}", headers=headers)
            assert answer.status_code == 403
    # a grid worker of one community is nobody in the next
    answer = await client.get(
        f"/v1/nodes/{world.nodes['other'].id}/units",
        headers=world.headers("grid_worker", Role.GRID_WORKER),
    )
    assert answer.status_code == 403
