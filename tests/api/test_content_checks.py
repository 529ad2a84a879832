"""Whatever people write is checked, and a person decides about what is doubted."""

import asyncio

import pytest

from consultation.deliberation.rules import StatementState
from consultation.deliberation.tables import Statement
from consultation.journal import JournalEntry
from consultation.permissions import Role
from consultation.topics.states import State
from consultation.topics.tables import Topic
from notifications.wechat.tables import CheckState, ContentCheck
from tests.api.content import HIDE, a_thread, decide, queue, say, shown
from tests.api.wechat_house import House
from tests.world import a_topic


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
