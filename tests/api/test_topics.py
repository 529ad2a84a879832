"""Topics over HTTP: raised, read, co-signed, withdrawn, and what clients are refused."""

from typing import Any

import httpx

from consultation.permissions import Role
from tests.conftest import ManualClock
from tests.world import World

PROPOSAL = {
    "title": "3幢2单元加装电梯",
    "summary_plain": "老楼装电梯,想请大家商量",
    "problem": "老人上下楼难",
    "wish": "商量加装电梯",
    "place": "3幢2单元",
    "affected": ["一层业主"],
    "open_to_cosign": True,
}


async def raise_topic(
    client: httpx.AsyncClient, world: World, name: str = "resident1", **changes: Any
) -> str:
    """Drafted and submitted over HTTP; its id."""
    drafted = await client.post(
        f"/v1/communities/{world.community.id}/topics",
        headers=world.headers(name),
        json={"node_id": str(world.nodes["entrance"].id), "proposal": PROPOSAL | changes},
    )
    assert drafted.status_code == 201, drafted.text
    id = drafted.json()["id"]
    submitted = await client.post(
        f"/v1/topics/{id}/submission", headers=world.headers(name), json={}
    )
    assert submitted.status_code == 200, submitted.text
    return id


async def test_a_resident_raises_a_topic_and_reads_it_back(
    client: httpx.AsyncClient, world: World
) -> None:
    place = {"node_id": str(world.nodes["entrance"].id)}
    address = f"/v1/communities/{world.community.id}/topics"
    drafted = await client.post(
        address,
        headers=world.headers("resident1"),
        json=place | {"proposal": {"title": "路灯不亮"}},
    )
    topic = drafted.json()
    assert (topic["number"], topic["state_text"], topic["mine"]) == ("", "草稿", True)
    assert topic["permitted_acts"] == ["submit", "withdraw"]
    home = f"/v1/topics/{topic['id']}"

    early = await client.post(f"{home}/submission", headers=world.headers("resident1"), json={})
    assert early.status_code == 409
    assert early.json()["code"] == "gate-not-met"
    assert early.json()["detail"] == (
        "还不能进行这一步:请写明涉及的人群、请写明地点、请写明问题、请写明诉求。"
    )
    edited = await client.put(
        f"{home}/proposal",
        headers=world.headers("resident1"),
        json={"proposal": PROPOSAL, "expected_version": 1},
    )
    assert edited.json()["affected"] == ["一层业主"]
    key = world.headers("resident1")
    submitted = await client.post(f"{home}/submission", headers=key, json={})
    assert submitted.json()["state"] == "submitted"
    again = await client.post(f"{home}/submission", headers=key, json={})
    assert again.headers["idempotent-replay"] == "true"
    assert again.json() == submitted.json()

    read = await client.get(home, headers=world.headers("resident1"))
    assert (read.json()["number"], read.json()["author"]) == ("2026-001", "居*")
    mine = await client.get("/v1/me/topics", headers=world.headers("resident1"))
    assert [card["id"] for card in mine.json()["items"]] == [topic["id"]]
    assert (await client.get(home)).status_code == 404  # nobody else's yet
    late = await client.put(
        f"{home}/proposal",
        headers=world.headers("resident1", **{"accept-language": "en"}),
        json={"proposal": PROPOSAL},
    )
    assert (late.status_code, late.json()["code"]) == (409, "draft-frozen")
    assert late.json()["detail"] == "Only drafts and returned topics can be edited."


async def test_who_may_not_raise_a_topic_is_told_so_in_their_language(
    client: httpx.AsyncClient, world: World
) -> None:
    body = {"node_id": str(world.nodes["entrance"].id), "proposal": PROPOSAL}
    address = f"/v1/communities/{world.community.id}/topics"

    async def ask(headers: dict[str, str], **changes: Any) -> tuple[int, str, str]:
        answer = await client.post(address, headers=headers, json=body | changes)
        return answer.status_code, answer.json()["code"], answer.json()["title"]

    english = {"accept-language": "en"}
    assert await ask({}) == (401, "not-logged-in", "请先登录")
    assert await ask(world.headers("visitor")) == (403, "not-permitted", "没有权限")
    assert await ask(world.headers("neighbour", **english)) == (
        403,
        "not-permitted",
        "Not permitted",
    )
    assert await ask(
        world.headers("grid_worker", Role.GRID_WORKER, **english),
        on_behalf_of=str(world.id("resident2")),
    ) == (422, "consent-required", "Consent note missing")
    assert await ask(world.headers("official", Role.GOVERNMENT)) == (
        422,
        "commission-letter-required",
        "缺少征询函",
    )
    assert await ask(
        world.headers("resident1"), proposal=PROPOSAL | {"wish": "公布艾滋病人名单"}
    ) == (422, "forbidden-subject", "内容涉及不宜登记的个人信息")
    assert await ask(world.headers("resident1"), proposal={"title": "路"}) == (
        422,
        "malformed-request",
        "填写有误",
    )


async def test_a_grid_worker_writes_for_a_resident_and_an_office_commissions(
    client: httpx.AsyncClient, world: World
) -> None:
    address = f"/v1/communities/{world.community.id}/topics"
    assisted = await client.post(
        address,
        headers=world.headers("grid_worker", Role.GRID_WORKER),
        json={
            "node_id": str(world.nodes["entrance"].id),
            "proposal": PROPOSAL,
            "on_behalf_of": str(world.id("resident2")),
            "consent_note": "上门口述,本人同意",
        },
    )
    assert assisted.status_code == 201
    assert assisted.json()["assisted"] is True
    commissioned = await client.post(
        address,
        headers=world.headers("official", Role.GOVERNMENT),
        json={
            "node_id": str(world.community.id),
            "proposal": PROPOSAL | {"title": "社区助餐点设置"},
            "letter": {
                "title": "征询函",
                "question": "设在哪里",
                "freedom": "三处备选",
                "reply_by": "2026-06-30",
            },
        },
    )
    assert commissioned.status_code == 201
    topic = commissioned.json()
    assert (topic["track"], topic["commissioner"]) == ("commissioned", "柳叶街道办事处")


async def test_neighbours_co_sign_and_follow_and_take_it_back(
    client: httpx.AsyncClient, world: World
) -> None:
    home = f"/v1/topics/{await raise_topic(client, world)}"
    for _ in range(2):
        signed = await client.put(f"{home}/cosignature", headers=world.headers("resident2"))
        assert signed.json()["co_signers"] == 1
    followed = await client.put(f"{home}/following", headers=world.headers("resident2"))
    assert followed.status_code == 200
    read = (await client.get(home, headers=world.headers("resident2"))).json()
    assert (read["cosigned"], read["following"], read["mine"]) == (True, True, False)
    assert read["permitted_acts"] == []

    undone = await client.delete(f"{home}/cosignature", headers=world.headers("resident2"))
    assert undone.json()["co_signers"] == 0
    left = await client.delete(f"{home}/following", headers=world.headers("resident2"))
    assert left.status_code == 200
    own = await client.put(f"{home}/cosignature", headers=world.headers("resident1"))
    assert (own.status_code, own.json()["code"]) == (422, "own-topic")
    listed = await client.get(
        f"/v1/communities/{world.community.id}/topics", headers=world.headers("resident3")
    )
    assert [card["co_signers"] for card in listed.json()["items"]] == [0]


async def test_a_list_is_read_page_by_page(client: httpx.AsyncClient, world: World) -> None:
    ids = [await raise_topic(client, world, title=f"第{n}个议题") for n in range(3)]
    address = f"/v1/communities/{world.community.id}/topics"
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = await client.get(
            address,
            params={"limit": 2, "group": "screening"} | ({"cursor": cursor} if cursor else {}),
            headers=world.headers("clerk", Role.CLERK),
        )
        seen += [card["id"] for card in page.json()["items"]]
        cursor = page.json()["next_cursor"]
        if cursor is None:
            break
    assert sorted(seen) == sorted(ids)
    bad = await client.get(address, params={"cursor": "made-up"})
    assert (bad.status_code, bad.json()["code"]) == (422, "bad-cursor")


async def test_an_author_withdraws_before_and_asks_after_acceptance(
    client: httpx.AsyncClient, world: World, clock: ManualClock
) -> None:
    first = await raise_topic(client, world)
    gone = await client.post(
        f"/v1/topics/{first}/withdrawal",
        headers=world.headers("resident1"),
        json={"reason": "已经解决"},
    )
    assert gone.json()["state"] == "withdrawn"

    home = f"/v1/topics/{await raise_topic(client, world)}"
    await accept(client, world, home)
    refused = await client.post(f"{home}/withdrawal", headers=world.headers("resident1"), json={})
    assert (refused.status_code, refused.json()["code"]) == (409, "transition-not-allowed")
    asked = await client.post(f"{home}/withdrawal-request", headers=world.headers("resident1"))
    assert asked.json()["withdrawal_asked_at"] is not None
    nobody = await client.post(f"{home}/takeover", headers=world.headers("resident2"))
    assert (nobody.status_code, nobody.json()["code"]) == (409, "take-over-not-possible")
    await client.put(f"{home}/cosignature", headers=world.headers("resident2"))
    taken = await client.post(f"{home}/takeover", headers=world.headers("resident2"))
    assert taken.status_code == 200

    await client.post(f"{home}/withdrawal-request", headers=world.headers("resident2"))
    clock.advance(days=6)
    agreed = await client.post(
        f"{home}/withdrawal-agreement",
        headers=world.headers("secretary", Role.PARTY_SECRETARY),
        json={},
    )
    assert agreed.json()["state"] == "withdrawn"


CLASSIFICATION = {
    "category": "vital_interest_problem",
    "layer": "consultation",
    "track": "community",
    "matter_list": "self_governance",
}
NOTE = {"title": "受理通知", "body": "经审查,予以受理。"}


async def accept(client: httpx.AsyncClient, world: World, home: str) -> None:
    answer = await client.post(
        f"{home}/acceptance",
        headers=world.headers("secretary", Role.PARTY_SECRETARY),
        json={"classification": CLASSIFICATION, "note": NOTE},
    )
    assert answer.status_code == 200, answer.text


async def test_everybody_reads_an_accepted_topic_its_timeline_and_file(
    client: httpx.AsyncClient, world: World
) -> None:
    home = f"/v1/topics/{await raise_topic(client, world)}"
    await accept(client, world, home)

    topic = (await client.get(home)).json()
    assert (topic["state_text"], topic["convener"], topic["author"]) == (
        "已受理",
        "梧桐里社区党委",
        "居*",
    )
    assert topic["permitted_acts"] == []
    first = await client.get(f"{home}/timeline", params={"limit": 1})
    rest = await client.get(
        f"{home}/timeline", params={"limit": 1, "cursor": first.json()["next_cursor"]}
    )
    steps = [*first.json()["items"], *rest.json()["items"]]
    assert [(step["rule"], step["act_text"], step["org"]) for step in steps] == [
        ("T1", "提交", None),
        ("T3", "受理", "梧桐里社区党委"),
    ]
    assert [document["kind_text"] for document in steps[1]["documents"]] == ["受理通知"]
    file = (await client.get(f"{home}/documents")).json()["items"]
    assert {document["kind"] for document in file} == {"proposal", "acceptance_note"}
    one = await client.get(f"/v1/documents/{file[0]['id']}")
    assert one.json() == file[0]

    english = {"accept-language": "en"}
    assert (await client.get(home, headers=english)).json()["state_text"] == "Accepted"
    missing = await client.get(f"/v1/documents/{world.community.id}", headers=english)
    assert (missing.status_code, missing.json()["title"]) == (404, "Not found")
