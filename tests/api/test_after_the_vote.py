"""Outcome, adoption, tasks, feedback, dissent and survey over HTTP."""

from datetime import date
from hashlib import sha256
from typing import Any
from uuid import UUID

import httpx
import pytest

from consultation.database import Database
from consultation.outcomes.commands.adoption import start_adoption
from consultation.permissions import SYSTEM, Role
from consultation.topics.states import State
from consultation.topics.tables import Topic
from tests.conftest import ManualClock
from tests.consultation.outcomes.steps import (
    CLERK,
    COMMITTEE,
    COMPANY,
    HOST,
    OFFICIAL,
    PARTY,
    Who,
    adopted,
    commissioned,
    implementing,
    notify,
    post,
    run_due,
    topic_now,
    with_outcome,
)
from tests.consultation.oversight.steps import VIEW
from tests.world import World, a_topic

Json = dict[str, Any]


class Caller:
    """Asks as somebody and says what came back."""

    def __init__(self, client: httpx.AsyncClient, world: World) -> None:
        self.client = client
        self.world = world

    async def __call__(
        self,
        method: str,
        path: str,
        who: Who | None = None,
        body: Json | None = None,
        *,
        status: int = 200,
        key: str | None = None,
    ) -> Any:
        headers = {} if who is None else self.world.headers(*who, key=key)
        answer = await self.client.request(method, f"/v1{path}", headers=headers, json=body)
        assert answer.status_code == status, answer.text
        return answer.json()


@pytest.fixture
def ask(client: httpx.AsyncClient, world: World) -> Caller:
    return Caller(client, world)


PAPER: Json = {
    "items": ["加装电梯", "夜间低速"],
    "minority_view": "101室不同意,主要理由是采光",
    "adverse_impacts": [{"group": "一层业主", "impact": "采光", "mitigation": "补偿"}],
}


async def test_the_outcome_is_read_by_everybody_with_its_minority_view(
    db: Database, ask: Caller, world: World, clock: ManualClock
) -> None:
    topic = await a_topic(db, world, state=State.OUTCOME_DRAFTING)
    path = f"/topics/{topic.id}"
    await ask("GET", f"{path}/outcome", status=404)
    bad = await ask("POST", f"{path}/outcome", HOST, PAPER | {"minority_view": " "}, status=422)
    await ask("POST", f"{path}/outcome", ("resident1", None), PAPER, status=403)
    first = await ask("POST", f"{path}/outcome", HOST, PAPER, status=201, key="draft-once")
    again = await ask("POST", f"{path}/outcome", HOST, PAPER, status=201, key="draft-once")
    change = {"reason": "补充噪声", "minority_view": "采光、噪声"}
    await ask("POST", f"{path}/outcome/revisions", HOST, change, status=201)
    await ask("PUT", f"{path}/consensus", PARTY)
    await ask("PUT", f"{path}/consensus/objection", ("resident2", None), {"reason": "补偿没谈好"})
    seen = await ask("GET", f"{path}/outcome")
    early = await ask("PUT", f"{path}/consensus/conclusion", PARTY, status=409)

    assert bad["code"] == "malformed-request"
    assert first == again
    assert [item["text"] for item in seen["items"]] == PAPER["items"]
    assert (seen["version"], seen["minority_view"]) == (2, "采光、噪声")
    assert seen["adverse_impacts"] == PAPER["adverse_impacts"]
    assert seen["consensus"]["objections"] == 1
    assert early["code"] == "gate-not-met"
    assert str(world.id("resident2")) not in str(seen)

    await ask("POST", f"{path}/outcome/revisions", HOST, change, status=201)
    await ask("PUT", f"{path}/consensus", PARTY)
    clock.advance(days=4)
    done = await ask("PUT", f"{path}/consensus/conclusion", PARTY)
    assert done["state"] == "outcome_public"


async def test_track_a_is_answered_and_signed_by_two(
    db: Database, ask: Caller, world: World
) -> None:
    topic = await with_outcome(db, world, State.ADOPTION_PENDING)
    path = f"/topics/{topic.id}"
    refusal = {"decision": "not_adopted", "reason": "没有钱"}
    replies = f"{path}/outcome/items"
    no = await ask("POST", f"{replies}/2/replies", PARTY, refusal, status=422)
    yes = {"decision": "adopted", "reason": "同意"}
    await ask("POST", f"{replies}/1/replies", PARTY, yes, status=201)
    grounded = refusal | {"reason_code": "impossible"}
    await ask("POST", f"{replies}/2/replies", COMMITTEE, grounded, status=201)

    hidden = await ask("GET", f"{path}/adoption")
    seen = await ask("GET", f"{path}/adoption", PARTY)
    signature = {"replies_digest": seen["replies_digest"]}
    await ask("PUT", f"{path}/adoption/signature", PARTY, signature)
    same = await ask("PUT", f"{path}/adoption/signature", PARTY, signature)
    late = {"replies_digest": "0" * 64}
    stale = await ask("PUT", f"{path}/adoption/signature", COMMITTEE, late, status=409)
    done = await ask("PUT", f"{path}/adoption/signature", COMMITTEE, signature)
    public = await ask("GET", f"{path}/adoption")

    assert no["code"] == "reason-code-required"
    assert no["facts"]["allowed"][0] == "unlawful"
    assert [(item["answered"], item["decision"], item["reason"]) for item in hidden["items"]] == [
        (True, None, None),
        (True, None, None),
    ]
    assert hidden["replies_digest"] is None
    assert same["state"] == "adoption_pending"
    assert stale["code"] == "replies-changed"
    assert done["state"] == "partially_adopted"
    assert [(i["decision"], i["reason_code"], i["reason"]) for i in public["items"]] == [
        ("adopted", None, "同意"),
        ("not_adopted", "impossible", "没有钱"),
    ]
    assert [(s["side"], s["org"]) for s in public["signatures"]] == [
        ("party_org", "梧桐里社区党委"),
        ("committee", "梧桐里社区居民委员会"),
    ]
    assert "许国平" not in str(public)


async def test_a_late_commissioner_is_seen_by_everybody(
    db: Database, ask: Caller, world: World, clock: ManualClock
) -> None:
    topic = await commissioned(db, world, State.OUTCOME_PUBLIC)
    clock.advance(days=8)
    async with db.begin() as tx:
        found = await tx.session.get_one(Topic, topic.id)
        found.state_since = clock.now

    clock.advance(days=8)
    async with db.begin(SYSTEM) as tx:
        await start_adoption(tx, topic.id)
    path = f"/topics/{topic.id}/adoption"
    reason = {"reason": "与区民政局会商"}
    await ask("PUT", f"{path}/extension", ("enforcer", Role.GOVERNMENT), reason, status=403)
    extension = await ask("PUT", f"{path}/extension", OFFICIAL, reason)
    clock.advance(days=60)
    await run_due(db)
    seen = await ask("GET", path)

    assert seen["due_at"] == extension["new_due_at"] == seen["overdue_since"]
    assert seen["extension"]["reason"] == reason["reason"]
    assert [item["answered"] for item in seen["items"]] == [False, False]


def task_body(world: World, **more: Any) -> Json:
    return {
        "item_number": 1,
        "title": "签订协议",
        "category": "works",
        "responsible_org_id": str(world.orgs["property_company"].id),
        "budget_fen": 500_000,
        "funding_source": "业主自筹",
        "due_on": "2026-04-30",
        "milestones": [{"title": "签约", "due_on": "2026-04-01"}],
    } | more


async def test_tasks_are_planned_done_paid_for_and_accepted_in_public(
    db: Database, ask: Caller, world: World, clock: ManualClock
) -> None:
    topic = await adopted(db, world)
    plans = f"/topics/{topic.id}/tasks"
    enforcement = task_body(
        world, category="law_enforcement", responsible_org_id=str(world.orgs["committee"].id)
    )
    refused = await ask("POST", plans, CLERK, enforcement, status=422)
    unfunded = task_body(world, funding_source="")
    task = await ask("POST", plans, CLERK, unfunded, status=201)
    path = f"/tasks/{task['id']}"
    second = task_body(world, item_number=2, budget_fen=0, due_on="2026-03-12", milestones=[])
    other = await ask("POST", plans, CLERK, second, status=201)
    early = await ask(
        "POST", f"/topics/{topic.id}/implementation", CLERK, {"text": "计划"}, status=409
    )
    await ask("PUT", f"{path}/plan", CLERK, task_body(world))
    begun = await ask(
        "POST", f"/topics/{topic.id}/implementation", CLERK, {"text": "计划"}, status=201
    )

    await ask("POST", f"{path}/progress", COMPANY, {"text": "已进场"}, status=201)
    await ask("PUT", f"{path}/milestones/1/completion", COMPANY, {"note": "合同存档"})
    await ask("POST", f"{path}/block", COMPANY, {"reason": "下雨"})
    await ask("POST", f"{path}/unblock", COMPANY, {"note": "复工"})
    paid = {"kind": "paid", "amount_fen": 480_000, "purpose": "合同款", "on": "2026-03-11"}
    await ask("POST", f"{path}/spending", COMPANY, paid, status=201)
    wrong = paid | {"amount_fen": -480_001, "purpose": "更正"}
    too_much = await ask("POST", f"{path}/spending", COMPANY, wrong, status=422)
    await ask("POST", f"{path}/spending", COMPANY, paid | {"amount_fen": -80_000}, status=201)
    await ask("POST", f"{path}/done", COMPANY, {"note": "完工"})
    back = {"reason": "门口没清扫", "due_on": "2026-04-30"}
    await ask("POST", f"{path}/redo", ("resident3", None), back)
    await ask("POST", f"{path}/done", COMPANY, {"note": "已清扫"})
    await ask("PUT", f"{path}/acceptance", PARTY)
    await ask("PUT", f"{path}/acceptance", ("resident3", None))
    clock.advance(days=2)
    await run_due(db)
    listed = await ask("GET", f"{plans}?limit=1")
    rest = await ask("GET", f"{plans}?limit=1&cursor={listed['next_cursor']}")
    await ask("POST", f"/tasks/{other['id']}/end", CLERK, {"reason": "业主撤回"})
    one = await ask("GET", path)
    accounts = await ask("GET", f"{path}/spending")
    reports = await ask("GET", f"{path}/progress?limit=2")
    older = await ask("GET", f"{path}/progress?limit=20&cursor={reports['next_cursor']}")

    assert (refused["code"], early["code"]) == ("responsible-org-not-allowed", "gate-not-met")
    assert begun["state"] == "implementing"
    assert too_much["code"] == "spending-not-possible"
    both = [*listed["items"], *rest["items"]]
    assert {t["id"]: t["overdue_since"] is not None for t in both} == {
        task["id"]: False,
        other["id"]: True,
    }
    assert rest["next_cursor"] is None
    assert (one["state"], one["paid_fen"]) == ("accepted", 400_000)
    assert (one["accepted_by_convener"], one["accepted_by_resident"]) == (True, True)
    assert one["milestones"][0]["note"] == "合同存档"
    assert one["responsible"] == "惠民物业"
    assert [entry["amount_fen"] for entry in accounts["items"]].count(-80_000) == 1
    assert len(reports["items"]) == 2
    assert len(older["items"]) == 4


async def test_feedback_is_posted_and_dissent_is_a_number(
    db: Database, ask: Caller, world: World, clock: ManualClock
) -> None:
    topic, *both = await implementing(db, world, budget_fen=0)
    for task in both:
        await ask("POST", f"/tasks/{task.id}/end", CLERK, {"reason": "业主撤回"})
    path = f"/topics/{topic.id}"
    done = await ask("POST", f"{path}/completion", PARTY, {"text": "已完成"}, status=201)
    await ask("POST", f"{path}/feedback-notice", CLERK, {"body": "投入使用"}, status=201)
    again = await ask("POST", f"{path}/feedback-notice", CLERK, {"body": "更正"}, status=422)
    fix = {"body": "9月投入使用", "correction_reason": "补充日期"}
    notice = await ask("POST", f"{path}/feedback-notice", CLERK, fix, status=201)
    general = {"body": "对采光意见的处理如下"}
    await ask("POST", f"{path}/general-explanation", CLERK, general, status=201)
    proof = {"place": "北门", "posted_on": "2026-03-11", "photo_sha256": "ab" * 32}
    board = f"/documents/{notice['id']}/postings"
    await ask("POST", board, CLERK, proof | {"photo_sha256": "x"}, status=422)
    void = await ask("POST", board, CLERK, proof | {"photo_sha256": "0" * 64}, status=422)
    empty = sha256(b"").hexdigest()
    nothing = await ask("POST", board, CLERK, proof | {"photo_sha256": empty}, status=422)
    await ask("POST", board, CLERK, proof, status=201)
    used = await ask("POST", board, CLERK, proof | {"place": "南门"}, status=422)
    seen = await ask("GET", f"{path}/feedback")

    assert done["state"] == "feedback"
    assert again["code"] == "correction-reason-required"
    assert void["code"] == nothing["code"] == "fingerprint-void"
    assert used["code"] == "photo-used-before"
    assert [(n["kind"], n["version"]) for n in seen["notices"]] == [
        ("feedback_notice", 1),
        ("feedback_notice", 2),
        ("general_explanation", 1),
    ]
    assert [p["place"] for p in seen["postings"]] == ["北门"]
    assert {row["state"]: row["count"] for row in seen["dissent"]}["maintained"] == 0
    assert (await topic_now(db, topic.id)).state is State.EVALUATING


async def test_nothing_adopted_is_answered_by_the_convener(
    db: Database, ask: Caller, world: World
) -> None:
    topic = await a_topic(db, world, state=State.NOT_ADOPTED)
    path = f"/topics/{topic.id}/non-adoption-answer"
    answered = await ask("POST", path, PARTY, {"reason": "与生效判决相抵触"}, status=201)
    assert answered["state"] == "feedback"


async def test_a_dissenter_is_explained_to_and_named_to_nobody(
    db: Database, ask: Caller, world: World
) -> None:
    topic = await a_topic(db, world, state=State.OUTCOME_PUBLIC)
    mine: Who = ("resident1", None)
    body = {"view": VIEW}
    record = await ask("POST", f"/topics/{topic.id}/dissent", mine, body, status=201)
    said = {"view": "会上口头反对", "person_id": str(world.id("resident2"))}
    await ask("POST", f"/topics/{topic.id}/dissent", CLERK, said, status=201)
    await ask("POST", f"/topics/{topic.id}/dissent", mine, said, status=403)
    await ask("GET", f"/topics/{topic.id}/dissent", mine, status=403)
    await ask("GET", f"/topics/{topic.id}/dissent", status=401)
    listed = await ask("GET", f"/topics/{topic.id}/dissent?limit=1", CLERK)
    rest = await ask(
        "GET", f"/topics/{topic.id}/dissent?limit=1&cursor={listed['next_cursor']}", CLERK
    )
    path = f"/dissent/{record['id']}"
    to = {"person_id": str(world.id("grid_worker"))}
    await ask("PUT", f"{path}/assignment", CLERK, to)
    words = {"channel": "home_visit", "text": "采光、噪声、补偿逐条说明如下。"}
    await ask("POST", f"{path}/explanations", CLERK, words, status=201)
    await ask("PUT", f"{path}/reply", ("resident3", None), {"reply": "maintained"}, status=404)
    await ask("PUT", f"{path}/reply", mine, {"reply": "maintained"})
    await ask("PUT", f"{path}/rejoinder", mine, {"text": "价值损失没有解决"})
    own = await ask("GET", "/me/dissent", mine)
    public = [
        await ask("GET", f"/topics/{topic.id}/feedback"),
        await ask("GET", f"/topics/{topic.id}/adoption"),
    ]

    both = [*listed["items"], *rest["items"]]
    assert {row["person_id"] for row in both} == {
        str(world.id("resident1")),
        str(world.id("resident2")),
    }
    assert {row["masked_name"] for row in both} == {"居*"}
    [view] = own["items"]
    assert (view["state"], view["view"]) == ("maintained", VIEW)
    assert view["rejoinder"] == "价值损失没有解决"
    assert [e["reply"] for e in view["explanations"]] == ["maintained"]
    for page in public:
        assert VIEW not in str(page)
        assert str(world.id("resident1")) not in str(page)
        assert record["id"] not in str(page)


async def test_a_survey_is_answered_counted_and_published(
    db: Database, ask: Caller, world: World, clock: ManualClock
) -> None:
    topic = await a_topic(db, world, state=State.FEEDBACK)
    path = f"/topics/{topic.id}/survey"
    await ask("GET", path, status=404)
    notice = await notify(db, world, topic)
    await post(db, world, notice.id, on=clock.now)
    planned = await ask("GET", path)
    survey = f"/surveys/{planned['id']}"
    clock.advance(days=16)
    await run_due(db)
    rating = {"score": 2, "themes": ["积水"], "remark": "下雨没法走"}
    await ask("PUT", f"{survey}/answer", ("resident1", None), rating | {"score": 6}, status=422)
    await ask("PUT", f"{survey}/answer", ("resident1", None), rating)
    twice = await ask("PUT", f"{survey}/answer", ("resident1", None), rating, status=409)
    paper = rating | {"person_id": str(world.id("resident2")), "channel": "paper"}
    await ask("POST", f"{survey}/entered-answers", CLERK, paper, status=201)
    waiting = await ask("GET", f"{survey}/waiting?limit=3", CLERK)
    rest = await ask("GET", f"{survey}/waiting?limit=3&cursor={waiting['next_cursor']}", CLERK)
    await ask("GET", f"{survey}/waiting", ("resident1", None), status=403)
    open_now = await ask("GET", path, ("resident1", None))
    early = await ask("PUT", f"{survey}/response", CLERK, {"body": "将整改"}, status=409)
    clock.advance(days=15)
    await run_due(db)
    closed = await ask("GET", path)
    undated = await ask("PUT", f"{survey}/response", CLERK, {"body": "将整改"}, status=422)
    by = date(2026, 6, 30).isoformat()
    await ask("PUT", f"{survey}/response", CLERK, {"body": "将整改", "rectify_by": by})
    answered = await ask("GET", path)

    assert (planned["state"], planned["invited"], planned["asked"]) == ("planned", None, False)
    assert twice["code"] == "survey-already-answered"
    assert len(waiting["items"]) == 3
    assert {row["person_id"] for row in waiting["items"] + rest["items"]} == {
        str(world.id(f"resident{n}")) for n in (3, 4, 5, 6)
    }
    assert (open_now["asked"], open_now["answered"], open_now["result"]) == (True, True, None)
    assert early["code"] == "survey-not-published"
    assert closed["result"]["scores"] == [0, 2, 0, 0, 0]
    assert closed["result"]["low_score"] is True
    assert "下雨没法走" not in str(closed)
    assert undated["code"] == "rectify-by-required"
    assert answered["rectify_by"] == by
    assert UUID(answered["response_document_id"])


async def test_what_is_not_there_is_not_found(ask: Caller, world: World) -> None:
    nothing = UUID(int=0)
    for path in ("tasks/{}", "topics/{}/tasks", "topics/{}/feedback", "topics/{}/adoption"):
        await ask("GET", f"/{path.format(nothing)}", status=404)
    await ask("PUT", f"/surveys/{nothing}/answer", ("resident1", None), {"score": 5}, status=404)
    reply = {"reply": "understood"}
    await ask("PUT", f"/dissent/{nothing}/reply", ("resident1", None), reply, status=404)
