"""Whatever people write is checked; what gets no pass waits for a person, and nothing is lost."""

import asyncio
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from api.fake_wechat.content import LONGEST
from api.media_checks import ask_for_media_check, note_media_trace, note_media_verdict
from consultation.deliberation.rules import StatementState
from consultation.deliberation.tables import ContentReview, Post, Statement, Thread
from consultation.journal import JournalEntry
from consultation.permissions import SYSTEM, Actor, Role
from consultation.topics.states import State
from consultation.topics.tables import Topic
from notifications.wechat.content import MEDIA_CHECK, TEXT_CHECK, MediaKind, split
from notifications.wechat.tables import AccountKind, CheckState, ContentCheck, MediaCheck
from tests.api.wechat_house import House, house
from tests.conftest import ManualClock
from tests.fake_wechat import FakeWechat
from tests.live import Start
from tests.world import a_topic


async def a_thread(house: House) -> UUID:
    topic = await a_topic(house.db, house.world, state=State.DELIBERATING)
    async with house.db.begin() as tx:
        thread = Thread(
            id=uuid4(),
            community_id=topic.community_id,
            topic_id=topic.id,
            round=1,
            title="怎样出资",
            opened_by_id=house.world.id("clerk"),
            created_at=tx.now,
        )
        tx.session.add(thread)
    return thread.id


async def say(
    house: House, body: str, name: str = "resident1", *, thread: UUID | None = None
) -> dict[str, Any]:
    """Somebody posts; the check is asked for, not yet done."""
    at = thread or await a_thread(house)
    answer = await house.http.post(
        f"/v1/threads/{at}/posts",
        headers=house.world.headers(name),
        json={"body": body, "stance": "for"},
    )
    return answer.raise_for_status().json()


async def queue(house: House, **query: str) -> list[dict[str, Any]]:
    answer = await house.http.get(
        f"/v1/communities/{house.world.community.id}/content-reviews",
        headers=house.world.headers("clerk", Role.CLERK),
        params=query,
    )
    return answer.raise_for_status().json()["items"]


async def decide(
    house: House, review: str, name: str = "clerk", role: Role = Role.CLERK, **body: str
) -> httpx.Response:
    return await house.http.put(
        f"/v1/content-reviews/{review}/decision", headers=house.world.headers(name, role), json=body
    )


HIDE = {"decision": "hide", "reason_code": "personal_attack", "reason": "含有辱骂,请改后再发"}


async def shown(house: House, post_id: str) -> bool:
    [post] = [p for p in await house.rows(Post) if str(p.id) == post_id]
    return post.hidden_at is None


# ---- verdicts -----------------------------------------------------------------------------


async def test_a_pass_is_noted_with_its_trace_and_bothers_nobody(house: House) -> None:
    await house.account("resident1")
    await say(house, "同意加装电梯")
    await house.errands()

    [check] = await house.rows(ContentCheck)
    [asked] = (await house.fake.outbox())["checks"]
    assert (check.state, check.label) == (CheckState.PASS, 100)
    assert check.traces == [asked["trace_id"]]
    assert (asked["openid"], asked["content"]) == ("o1", "同意加装电梯")
    assert await queue(house) == []


@pytest.mark.parametrize(
    ("text", "cause", "label"),
    [
        ("你这个【辱骂】", "risky", 20003),
        ("居委会的决定不对【时政】", "review", 20001),
        ("看看【新标签】", "review", 29999),
        ("看看【新建议】", "review", 21000),
    ],
)
async def test_a_doubt_is_put_before_a_person_and_hides_nothing(
    house: House, text: str, cause: str, label: int
) -> None:
    await house.account("resident1")
    post = await say(house, text)
    await house.errands()

    [review] = await queue(house)
    assert (review["cause"], review["label"], review["text"]) == (cause, label, text)
    assert (review["subject_kind"], review["subject_id"]) == ("post", post["id"])
    assert await shown(house, post["id"])


async def test_a_person_hides_it_the_author_is_told_and_appeals_and_the_supervisor_restores_it(
    house: House,
) -> None:
    await house.account("resident1")
    post = await say(house, "你这个【辱骂】")
    await house.errands()
    [review] = await queue(house)

    assert (await decide(house, review["id"], **HIDE)).json()["state"] == "hidden"
    assert (await decide(house, review["id"], **HIDE)).status_code == 200  # a retry
    assert not await shown(house, post["id"])
    assert await queue(house) == []
    assert [one["reason"] for one in await queue(house, state="hidden")] == [HIDE["reason"]]
    told = [e.data for e in await house.rows(JournalEntry) if e.type == "user.notified"]
    assert [(t["about"], t["reason_code"]) for t in told] == [("post_hidden", "personal_attack")]

    appeal = await house.http.put(
        f"/v1/posts/{post['id']}/appeal",
        headers=house.world.headers("resident1"),
        json={"reason": "没有骂人"},
    )
    assert appeal.status_code == 200
    restored = await house.http.put(
        f"/v1/posts/{post['id']}/review",
        headers=house.world.headers("supervisor", Role.SUPERVISOR),
        json={"restore": True, "opinion": "不构成辱骂"},
    )
    assert restored.json()["hidden"] is False


async def test_criticism_is_kept_and_no_reason_exists_to_hide_it(house: House) -> None:
    await house.account("resident1")
    post = await say(house, "街道办事太慢【时政】")
    await house.errands()
    [review] = await queue(house)

    for code in ("criticism", "politics", ""):
        refused = await decide(
            house, review["id"], decision="hide", reason_code=code, reason="批评了街道"
        )
        assert refused.status_code == 422
    without = await decide(house, review["id"], decision="hide", reason="批评了街道")
    assert without.json()["code"] == "moderation-reason-missing"
    assert (await decide(house, review["id"], decision="keep")).json()["state"] == "kept"
    assert await shown(house, post["id"])
    again = await decide(house, review["id"], "deputy", Role.HOST, **HIDE)
    assert again.json()["code"] == "review-decided"
    assert again.json()["facts"] == {"state": "kept"}


async def test_nobody_decides_about_their_own_words_and_outsiders_about_none(house: House) -> None:
    thread = await a_thread(house)
    await house.account("clerk")
    answer = await house.http.post(
        f"/v1/threads/{thread}/posts",
        headers=house.world.headers("clerk", Role.CLERK),
        json={"body": "工作人员的话【时政】", "stance": "neutral"},
    )
    assert answer.status_code == 201
    await house.errands()
    [review] = await queue(house)

    own = await decide(house, review["id"], decision="keep")
    assert own.json()["code"] == "own-content-review"
    for name, role in (("supervisor", Role.SUPERVISOR), ("official", Role.GOVERNMENT)):
        assert (await decide(house, review["id"], name, role, decision="keep")).status_code == 403
    assert (await decide(house, review["id"], "deputy", Role.HOST, decision="keep")).is_success
    resident = await house.http.get(
        f"/v1/communities/{house.world.community.id}/content-reviews",
        headers=house.world.headers("resident1"),
    )
    assert resident.status_code == 403


async def test_two_moderators_at_once_decide_once(house: House) -> None:
    await house.account("resident1")
    post = await say(house, "你这个【辱骂】")
    await house.errands()
    [review] = await queue(house)

    answers = await asyncio.gather(
        decide(house, review["id"], **HIDE),
        decide(house, review["id"], "deputy", Role.HOST, decision="keep"),
    )

    assert sorted(answer.status_code for answer in answers) == [200, 409]
    decided = next(a for a in answers if a.status_code == 200).json()["state"]
    assert await shown(house, post["id"]) is (decided == "kept")


async def test_an_edited_post_is_checked_again_in_its_new_version(house: House) -> None:
    await house.account("resident1")
    post = await say(house, "同意")
    await house.errands()
    edited = await house.http.put(
        f"/v1/posts/{post['id']}",
        headers=house.world.headers("resident1"),
        json={"body": "你这个【辱骂】", "stance": "against"},
    )
    assert edited.status_code == 200
    await house.errands()

    [review] = await queue(house)
    assert (review["version"], review["text"]) == (2, "你这个【辱骂】")
    states = {check.version: check.state for check in await house.rows(ContentCheck)}
    assert states == {1: CheckState.PASS, 2: CheckState.RISKY}


async def test_a_statement_is_checked_and_may_be_taken_off_the_list(house: House) -> None:
    await house.account("resident1")
    topic = await a_topic(house.db, house.world, state=State.DELIBERATING)
    answer = await house.http.post(
        f"/v1/topics/{topic.id}/statements",
        headers=house.world.headers("resident1"),
        json={"text": "某人【辱骂】"},
    )
    assert answer.status_code == 201
    await house.errands()
    [review] = await queue(house)

    assert review["subject_kind"] == "statement"
    assert (await decide(house, review["id"], **HIDE)).is_success
    [statement] = await house.rows(Statement)
    assert statement.state is StatementState.REJECTED


async def test_a_topic_is_checked_when_it_is_handed_in_and_left_to_screening(house: House) -> None:
    await house.account("resident1")
    drafted = await house.http.post(
        f"/v1/communities/{house.world.community.id}/topics",
        headers=house.world.headers("resident1"),
        json={
            "node_id": str(house.world.nodes["entrance"].id),
            "proposal": {
                "title": "加装电梯",
                "problem": "老人上下楼难【时政】",
                "wish": "加装电梯",
                "place": "3幢2单元",
                "affected": ["一层业主"],
            },
        },
    )
    topic_id = drafted.json()["id"]
    submitted = await house.http.post(
        f"/v1/topics/{topic_id}/submission", headers=house.world.headers("resident1"), json={}
    )
    assert submitted.is_success, submitted.text
    await house.errands()
    [review] = await queue(house)

    assert review["subject_kind"] == "topic"
    assert "老人上下楼难【时政】" in review["text"]
    refused = await decide(house, review["id"], **HIDE)
    assert refused.json()["code"] == "topics-are-screened"
    left = await decide(house, review["id"], decision="leave_to_screening")
    assert left.json()["state"] == "left_to_screening"
    [topic] = await house.rows(Topic)
    assert topic.state is State.SUBMITTED


# ---- no verdict ---------------------------------------------------------------------------


async def test_who_was_not_in_the_app_of_late_is_read_by_a_person(
    house: House, clock: ManualClock
) -> None:
    await house.account("resident1")
    clock.advance(hours=2, minutes=1)
    await say(house, "同意")
    await house.errands()

    [review] = await queue(house)
    assert review["cause"] == "no_recent_visit"
    assert [check.state for check in await house.rows(ContentCheck)] == [CheckState.ERROR]


async def test_who_writes_in_a_browser_only_is_read_by_a_person(house: House) -> None:
    await house.account("resident1", "h5", kind=AccountKind.H5)
    await say(house, "同意")
    await house.errands()

    assert [review["cause"] for review in await queue(house)] == ["no_account"]
    assert await house.fake.calls(TEXT_CHECK) == 0


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "errcode", "errcode": -1},
        {"kind": "errcode", "errcode": 45009},
        {"kind": "errcode", "errcode": 45011},
        {"kind": "html"},
        {"kind": "truncated"},
        {"kind": "lost"},
        {"kind": "reset"},
    ],
    ids=lambda fault: str(fault.get("errcode", fault["kind"])),
)
async def test_a_check_that_fails_waits_for_a_person_at_once_and_a_later_pass_settles_it(
    house: House, clock: ManualClock, fault: dict[str, Any]
) -> None:
    await house.account("resident1")
    await house.fake.fault(TEXT_CHECK, **fault, n=9)
    await say(house, "同意")
    await house.errands()
    assert [review["cause"] for review in await queue(house)] == ["check_failed"]

    await house.fake.heal()
    clock.advance(minutes=3)
    await house.errands()

    assert await queue(house) == []
    [review] = await house.rows(ContentReview)
    assert (review.state.value, review.decided_by_id) == ("passed", None)
    assert len(review.traces) == 1


async def test_a_later_doubt_takes_the_place_of_the_failure_and_a_decision_is_never_undone(
    house: House, clock: ManualClock
) -> None:
    await house.account("resident1")
    await house.fake.fault(TEXT_CHECK, "errcode", n=9)
    thread = await a_thread(house)
    await say(house, "你这个【辱骂】", thread=thread)
    await say(house, "另一个【辱骂】", thread=thread)
    await house.errands()
    first, second = await queue(house)
    assert (await decide(house, second["id"], decision="keep")).is_success

    await house.fake.heal()
    clock.advance(minutes=3)
    await house.errands()

    [review] = await queue(house)
    assert (review["id"], review["cause"]) == (first["id"], "risky")
    assert [one["id"] for one in await queue(house, state="kept")] == [second["id"]]


async def test_wechat_down_for_ten_minutes_loses_nothing_and_all_is_caught_up(
    house: House, clock: ManualClock
) -> None:
    await house.account("resident1")
    thread = await a_thread(house)
    await house.fake.fault("*", "html", n=10_000)
    for minute in range(10):
        text = f"第{minute}条" + ("【辱骂】" if minute == 7 else "")
        answer = await house.http.post(
            f"/v1/threads/{thread}/posts",
            headers=house.world.headers(f"resident{1 + minute % 6}"),
            json={"body": text, "stance": "for"},
        )
        assert answer.status_code == 201  # nobody who writes waits for WeChat
        await house.errands()
        clock.advance(minutes=1)
    open_before = {review["text"][:3] for review in await queue(house)}
    assert open_before == {f"第{minute}条" for minute in range(10)}  # every one is seen by people
    for number in range(2, 7):
        await house.account(f"resident{number}", f"o{number}")
    for check in await house.rows(ContentCheck):
        if check.state is CheckState.ERROR:  # they had no account then
            assert check.person_id != house.world.id("resident1")

    await house.fake.heal()
    await house.fake.visit("o1")
    for _ in range(6):
        clock.advance(minutes=10)
        await house.errands()

    of_first = [
        check
        for check in await house.rows(ContentCheck)
        if check.person_id == house.world.id("resident1")
    ]
    assert {check.state for check in of_first} == {CheckState.PASS}
    left = {review["cause"] for review in await queue(house)}
    assert left == {"no_account"}
    assert len(await house.rows(Post)) == len(await house.rows(ContentCheck)) == 10


async def test_after_two_days_without_a_verdict_only_the_person_counts(
    house: House, clock: ManualClock
) -> None:
    await house.account("resident1")
    await house.fake.fault("*", "html", n=10_000)
    await say(house, "同意")
    for _ in range(12):
        await house.errands()
        clock.advance(hours=6)
    asked = await house.fake.calls(TEXT_CHECK)
    await house.fake.heal()
    clock.advance(hours=12)
    await house.errands()

    assert await house.fake.calls(TEXT_CHECK) == asked
    assert [review["cause"] for review in await queue(house)] == ["check_failed"]


async def test_where_people_moderate_without_a_machine_nothing_is_asked(
    start: Start, fake_wechat: FakeWechat
) -> None:
    async with house(start, fake_wechat, content_check="none") as quiet:
        await quiet.account("resident1")
        await say(quiet, "你这个【辱骂】")
        assert await quiet.errands() == 0
        assert await quiet.rows(ContentCheck) == []


async def test_a_long_text_is_checked_in_parts_and_the_worst_verdict_counts(
    start: Start, fake_wechat: FakeWechat
) -> None:
    async with house(start, fake_wechat, wechat_text_characters=10) as short:
        await short.account("resident1")
        await say(short, "第一句话。第二句【辱骂】。第三句话很长很长很长很长。")
        await short.errands()

        parts = [check["content"] for check in (await short.fake.outbox())["checks"]]
        assert "".join(parts) == "第一句话。第二句【辱骂】。第三句话很长很长很长很长。"
        assert all(len(part) <= 10 for part in parts)
        [review] = await queue(short)
        assert review["cause"] == "risky"
        assert [len(one.traces) for one in await short.rows(ContentReview)] == [len(parts)]


@pytest.mark.parametrize("text", ["", "短", "句。" * 2000, "无标点" * 2000, "a" * LONGEST])
def test_splitting_loses_nothing_and_keeps_within_the_limit(text: str) -> None:
    parts = split(text, longest=LONGEST)
    assert "".join(parts) == text
    assert all(len(part) <= LONGEST for part in parts)
    assert len(parts) == 1 or all(parts)


# ---- media --------------------------------------------------------------------------------


async def a_picture(house: House, plan: str, name: str = "resident1") -> MediaCheck:
    """As a route that takes uploads would ask for it."""
    await house.fake.media_verdict(plan)
    async with house.db.begin(Actor(person_id=house.world.id(name))) as tx:
        check = await ask_for_media_check(
            tx,
            house.services.settings,
            id=uuid4(),
            url="https://files.minyi.test/1.png",
            kind=MediaKind.IMAGE,
            community_id=house.world.community.id,
            topic_id=None,
        )
    await house.errands()
    return check


async def state_of(house: House) -> CheckState:
    [check] = await house.rows(MediaCheck)
    return check.state


@pytest.mark.parametrize(
    ("plan", "state", "causes"),
    [
        ("pass", CheckState.PASS, []),
        ("review", CheckState.REVIEW, ["review"]),
        ("risky", CheckState.RISKY, ["risky"]),
        ("download_error", CheckState.ERROR, ["check_failed"]),
        ("twice", CheckState.PASS, []),
        ("before_reply", CheckState.PASS, []),
        ("v1_risky", CheckState.RISKY, ["risky"]),
    ],
)
async def test_the_verdict_on_a_medium_comes_as_an_event(
    house: House, plan: str, state: CheckState, causes: list[str]
) -> None:
    await house.account("resident1")
    await a_picture(house, plan)
    if plan != "before_reply":
        assert await state_of(house) is CheckState.PENDING
    await house.deliver(times=2, reverse=True)

    assert await state_of(house) is state
    assert [review["cause"] for review in await queue(house)] == causes


@pytest.mark.parametrize("first", ["event", "answer"])
async def test_a_verdict_that_is_noted_in_the_same_moment_as_the_answer_is_applied(
    house: House, first: str
) -> None:
    """Neither sees what the other has not committed."""
    await house.account("resident1")
    async with house.db.begin(Actor(person_id=house.world.id("resident1"))) as tx:
        check = MediaCheck(
            id=tx.new_id(),
            community_id=house.world.community.id,
            person_id=tx.person_id,
            url="https://files.minyi.test/1.png",
            kind=MediaKind.IMAGE,
            state=CheckState.PENDING,
            created_at=tx.now,
            asked_at=tx.now,
        )
        tx.session.add(check)
    noted, go_on = asyncio.Event(), asyncio.Event()

    async def note(what: str) -> None:
        async with house.db.begin(SYSTEM) as tx:
            if what == "answer":
                await note_media_trace(tx, check.id, "trace-1")
            else:
                await note_media_verdict(tx, "trace-1", state=CheckState.PASS, label=100, errcode=0)
            noted.set()
            await go_on.wait()

    second = "answer" if first == "event" else "event"
    async with asyncio.TaskGroup() as both:
        both.create_task(note(first))
        await noted.wait()
        both.create_task(note(second))
        await asyncio.sleep(0.3)
        go_on.set()

    assert await state_of(house) is CheckState.PASS
    async with house.db.begin(SYSTEM) as tx:  # told again, and otherwise
        await note_media_verdict(tx, "trace-1", state=CheckState.RISKY, label=1, errcode=0)
    assert await state_of(house) is CheckState.PASS


async def test_a_verdict_that_never_comes_brings_a_person_after_35_minutes_and_a_late_one_settles(
    house: House, clock: ManualClock
) -> None:
    await house.account("resident1")
    await a_picture(house, "pass")
    clock.advance(minutes=34)
    await house.errands()
    assert await state_of(house) is CheckState.PENDING
    clock.advance(minutes=1)
    await house.errands()
    assert await state_of(house) is CheckState.ERROR
    assert [review["cause"] for review in await queue(house)] == ["timed_out"]

    await house.deliver()
    assert await state_of(house) is CheckState.PASS
    assert await queue(house) == []


async def test_a_medium_that_wechat_was_never_asked_about_is_asked_about_later(
    house: House, clock: ManualClock
) -> None:
    await house.account("resident1")
    await house.fake.fault(MEDIA_CHECK, "errcode", errcode=45009, n=1)
    await a_picture(house, "pass")
    clock.advance(minutes=3)
    await house.errands()
    await house.deliver()

    assert await state_of(house) is CheckState.PASS
    assert await house.fake.calls(MEDIA_CHECK) == 2


@pytest.mark.parametrize(("fault", "cause"), [("lost", "check_failed"), ("html", "check_failed")])
async def test_a_medium_whose_answer_is_lost_is_looked_at_by_a_person(
    house: House, fault: str, cause: str
) -> None:
    await house.account("resident1")
    await house.fake.fault(MEDIA_CHECK, fault)
    await a_picture(house, "pass")

    assert await state_of(house) is CheckState.ERROR
    assert [review["cause"] for review in await queue(house)] == [cause]


async def test_a_person_decides_about_a_medium(house: House, clock: ManualClock) -> None:
    await house.account("resident1")
    clock.advance(hours=3)
    await a_picture(house, "pass")
    [review] = await queue(house)

    assert (review["cause"], review["text"]) == ("no_recent_visit", None)
    assert (await decide(house, review["id"], **HIDE)).json()["state"] == "hidden"


async def test_media_of_one_person_are_checked_one_after_the_other_and_of_two_at_once(
    house: House, clock: ManualClock
) -> None:
    await house.account("resident1", "o1")
    await house.account("resident2", "o2")
    for _ in range(5):
        await a_picture(house, "pass", "resident1")
    await a_picture(house, "risky", "resident2")

    async def asked() -> list[str]:
        return sorted(one["openid"] for one in (await house.fake.outbox())["checks"])

    assert await asked() == ["o1", "o2"]
    for answered in range(2, 6):
        await house.deliver(times=2)
        assert (await asked()).count("o1") == answered
    await house.deliver()

    assert (await house.fake.outbox())["media_overlap"] == {"o1": 1, "o2": 1}
    states = [check.state for check in await house.rows(MediaCheck)]
    assert (states.count(CheckState.PASS), states.count(CheckState.RISKY)) == (5, 1)


async def test_a_verdict_that_never_comes_lets_the_next_medium_be_checked(
    house: House, clock: ManualClock
) -> None:
    await house.account("resident1", "o1")
    await a_picture(house, "never")
    clock.advance(minutes=20)
    await a_picture(house, "pass")
    assert len((await house.fake.outbox())["checks"]) == 1
    clock.advance(minutes=15)
    await house.fake.visit("o1")
    await house.errands()
    await house.deliver()

    states = [check.state for check in await house.rows(MediaCheck)]
    assert sorted(states) == [CheckState.ERROR, CheckState.PASS]
    assert (await house.fake.outbox())["media_overlap"] == {"o1": 1}


async def test_many_errands_at_once_still_ask_about_one_medium_of_a_person(house: House) -> None:
    await house.account("resident1", "o1")
    async with house.db.begin(Actor(person_id=house.world.id("resident1"))) as tx:
        for _ in range(6):
            await ask_for_media_check(
                tx,
                house.services.settings,
                id=uuid4(),
                url="https://files.minyi.test/1.png",
                kind=MediaKind.IMAGE,
                community_id=house.world.community.id,
                topic_id=None,
            )
    await asyncio.gather(*(house.services.errands.run_due() for _ in range(3)))
    for _ in range(6):
        await house.deliver()

    assert (await house.fake.outbox())["media_overlap"] == {"o1": 1}
    assert {check.state for check in await house.rows(MediaCheck)} == {CheckState.PASS}
