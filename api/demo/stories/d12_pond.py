"""D12 柳桥村村口当家塘清淤与护栏: 四议两公开 from the branch's proposal to the archive; the villagers'
representatives decide by show of hands."""

from collections.abc import AsyncGenerator
from datetime import datetime

from api.demo.matter import LIUQIAO, Matter
from api.demo.second_people import adds_up, cannot_sign_yet, count_hands, countersign
from api.demo.stage import Stage, at
from api.demo.voters import of_role
from consultation.topics.states import State

PRESET = "village_reps@2018-12-29"
NEAR, FIELDS = "塘边农户", "用水农户"
REPRESENTATIVES = "居民(村民)代表"
HANDS = {"for": 61, "against": 9, "abstain": 4}
ITEMS = ["当家塘清淤并加装护栏,预算14.8万元,从村集体收益列支。", "护栏留出两处农具口。"]
MINUTES = {
    "summary": "时间:2026年8月20日19:00;地点:村民代表会议室。应到91人,实到74人。村党支部提议、“两委”商议、"
    "党员大会审议情况已通报。",
    "points_for": ["塘淤了十几年,清了才能蓄水防火。"],
    "points_against": ["塘边三户担心护栏挡道,农具过不去。"],
    "agreed": ["清淤、护栏和农具口。"],
    "disagreed": ["塘边一户仍要求不装护栏。"],
    "next_steps": ["决议公开7日后实施。"],
}


async def play(stage: Stage) -> AsyncGenerator[datetime]:
    matter = Matter(stage, "D12", LIUQIAO)
    branch, members = matter.secretary, of_role("liuqiao", "村民代表")
    near = stage.people.by_phone(members[20])

    yield at("2026-07-16", "09:00")
    await matter.raise_topic(
        branch,
        {
            "title": "柳桥村村口当家塘清淤与护栏",
            "summary_plain": "村口的塘淤塞多年,孩子常在塘边玩,想清淤、装护栏。",
            "problem": "村口当家塘淤塞多年,蓄水不足,塘边没有护栏,孩子常在边上玩。",
            "wish": "清淤当家塘并加装护栏,预算14.8万元。",
            "place": "柳桥村村口",
            "affected": [NEAR, FIELDS],
        },
        at="liuqiao",
    )
    yield at("2026-07-20")
    await matter.accept(
        category="public_interest_decision", layer="assembly", matter_list="self_governance"
    )
    yield at("2026-07-22")
    await matter.prepare(
        groups={NEAR: True, FIELDS: True},
        forms={
            "party_branch_meeting": True,
            "two_committees_meeting": True,
            "party_members_meeting": True,
            "representatives_assembly": False,
        },
        ends="2026-08-31",
        text="按“四议两公开”办理:支部提议、两委商议、党员大会审议、村民代表会议决议;决议公开、实施结果公开。",
        preset=PRESET,
        material=("清淤护栏方案与预算", "清淤约3200方,护栏180米,预算14.8万元,附塘边农户走访记录。"),
        venue="柳桥村村民代表会议室",
    )
    await matter.announce(
        "关于当家塘清淤与护栏的公告", "村党支部提议清淤当家塘并加装护栏,按四议两公开程序办理。"
    )
    yield at("2026-07-28", "08:00")
    await matter.must_be(State.DELIBERATING)
    talks = (
        ("party_branch_meeting", "村党支部提议", "2026-08-03", {}),
        ("two_committees_meeting", "“两委”商议", "2026-08-06", {}),
        ("party_members_meeting", "党员大会审议", "2026-08-10", {"quorum_members": 3}),
    )
    for form, title, day, more in talks:
        yield at(day, "08:30")
        meeting = await matter.convene(form, title, at(day, "19:00"), place="村委会会议室", **more)
        yield at(day, "19:00")
        present = [matter.person(name, "representative") for name in ("柳长青", "卞大力", "单巧珍")]
        if form == "party_members_meeting":
            await matter.attend(meeting, "党员", present)
            await matter.absent(meeting, NEAR, "塘边三户由网格员上门听取意见,意见附纪要。")
        else:
            await matter.attend(meeting, FIELDS, present)
            await matter.absent(meeting, NEAR, "塘边三户由村干部上门听取意见,意见附纪要。")
        await matter.sit(meeting)
        yield at(day, "20:30")
        await matter.rise(meeting)
        summary = f"{title}:同意清淤并加装护栏,预算14.8万元,提交下一步。"
        await matter.minutes(meeting, {"summary": summary}, present)
        await matter.publish_minutes(meeting)
    yield at("2026-08-12")
    await matter.close_deliberation()
    await matter.outcome(
        ITEMS,
        "塘边三户担心护栏挡道,经两次上门协商,护栏留出两处农具口,两户接受,一户保留意见。",
        [{"group": NEAR, "impact": "农具出入绕行。", "mitigation": "护栏留出两处农具口。"}],
    )
    yield at("2026-08-13")
    assembly = await matter.convene(
        "representatives_assembly",
        "村民代表会议",
        at("2026-08-20", "19:00"),
        place="村民代表会议室",
        quorum_members=91,
    )
    poll = await matter.poll(
        preset=PRESET,
        scope="liuqiao",
        question="当家塘清淤并加装护栏",
        items=[{"text": "同意清淤当家塘并加装护栏,预算14.8万元"}],
        opens=at("2026-08-20", "19:00"),
        closes=at("2026-08-20", "21:00"),
        meeting_id=assembly,
    )
    yield at("2026-08-20", "18:40")
    people = [stage.people.by_phone(phone) for phone in members[:74]]
    await matter.attend(assembly, REPRESENTATIVES, people)
    matter.said("74名村民代表签到")
    yield at("2026-08-20", "19:10")
    await matter.sit(assembly)
    await matter.must_be(State.VOTING)
    witnesses = [people[3], people[40]]
    hands = await count_hands(matter, poll, HANDS, witnesses)
    yield at("2026-08-20", "19:20")
    await countersign(matter, poll, witnesses[0], hands=hands)
    yield at("2026-08-20", "21:05")
    await matter.rise(assembly)
    await matter.minutes(assembly, MINUTES, [near])
    await cannot_sign_yet(matter, poll, "hands 1")
    await countersign(matter, poll, witnesses[1], hands=hands)
    result = await matter.sign(poll)
    counted = [tally["votes"]["heads"] for tally in result["items"][0]["tallies"]]
    stage.expect("D12", "应到、到会", (result["eligible"]["heads"], result["present"]), (91, 74))
    stage.expect("D12", "同意、反对、弃权", counted, [61, 9, 4])
    stage.expect("D12", "结论", result["verdict"], "passed")
    await adds_up(matter, poll, {"hands": 74}, countersigned=1)
    dissent = await matter.dissent(near, "护栏挡住我家农具的路,留口也不方便。")

    yield at("2026-08-31", "09:00")
    await matter.must_be(State.ADOPTION_PENDING)
    await matter.publish_minutes(assembly)
    await matter.adopt(
        dict.fromkeys((1, 2), ("adopted", "村民代表会议决议通过,公开期满,予以采纳。"))
    )
    await matter.explain(
        dissent,
        "护栏在您家一侧留出2.4米农具口,铰链门由您家保管钥匙;不方便随时调整位置。",
        channel="home_visit",
    )
    await matter.answer(dissent, near, "maintained")
    yield at("2026-09-02")
    pond = await matter.task(
        "清淤与护栏施工",
        responsible="liuqiao-committee",
        due="2026-10-20",
        item_number=1,
        budget_fen=14_800_000,
        funding_source="村集体收益",
        milestones=[
            {"title": "清淤", "due_on": "2026-09-25"},
            {"title": "护栏", "due_on": "2026-10-15"},
        ],
    )
    gap = await matter.task(
        "两处农具口",
        responsible="liuqiao-committee",
        due="2026-10-20",
        item_number=2,
        funding_source="村集体收益",
    )
    await matter.implement("村民委员会实施,村务监督委员会全程监督。")
    yield at("2026-09-24")
    await matter.progress(pond, "清淤完成,出淤约3100方。")
    await matter.clerk.put(f"tasks/{pond}/milestones/1/completion", {})
    yield at("2026-10-10", "16:00")
    await matter.spend(pond, 142_000, "清淤、护栏工程款", "2026-10-09")
    for task in (pond, gap):
        await matter.finish(task, "完工。", resident=near)
    await matter.report("清淤和护栏完工,决算14.2万元,节余0.6万元退回村集体。")
    yield at("2026-10-14")
    await matter.feedback(
        "实施结果公开:当家塘清淤与护栏完工,决算14.2万元,节余0.6万元退回村集体;护栏留出两处农具口。一户保留意见,已上门说明。",
        posted="2026-10-14",
        place="柳桥村村务公开栏",
    )
    await matter.must_be(State.EVALUATING)
    survey = (await matter.clerk.get(matter.url("/survey")))["id"]
    yield at("2026-11-01", "19:00")
    for place, phone in enumerate(members[:40]):
        await stage.people.by_phone(phone).put(
            f"surveys/{survey}/answer", {"score": 5 if place % 4 else 4, "themes": []}
        )
    matter.said("收到满意度测评40份")
    yield at("2026-11-16", "09:00")
    await matter.clerk.put(
        f"surveys/{survey}/response", {"body": "感谢乡亲们的评价,冬修时再清一次塘口水草。"}
    )
    await matter.must_be(State.CLOSED)
