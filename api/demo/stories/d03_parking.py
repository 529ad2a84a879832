"""D3 荷塘月色停车位改造: passes by heads, fails by area, and is consulted again."""

from collections.abc import AsyncGenerator
from datetime import datetime

from api.demo.matter import Matter
from api.demo.stage import Stage, at
from api.demo.voters import choose, owners
from consultation.topics.states import State

ESTATE = "荷塘月色"
PRESET = "civil278_special@2021-01-01"
HOMES, SHOPS = "小区业主", "商铺业主"


async def play(stage: Stage) -> AsyncGenerator[datetime]:
    matter = Matter(stage, "D3")
    chair = matter.person("丁海涛")

    yield at("2026-07-02", "20:00")
    await matter.raise_topic(
        chair,
        {
            "title": "荷塘月色停车位改造(占用绿地12处)",
            "summary_plain": "想把12处零星绿地改成停车位,要全体业主表决。",
            "problem": "小区888户只有516个车位,夜间消防通道经常被占。",
            "wish": "把12处零星绿地改造为停车位,同步补种乔木。",
            "place": ESTATE,
            "affected": [HOMES, SHOPS],
            "open_to_cosign": True,
        },
        at=ESTATE,
    )
    yield at("2026-07-06")
    await matter.accept(
        category="public_interest_decision", layer="owners", matter_list="self_governance"
    )
    yield at("2026-07-08")
    await matter.prepare(
        groups={HOMES: True, SHOPS: True},
        forms={"four_party_meeting": True, "online_deliberation": False},
        ends="2026-08-15",
        text="召开四方议事协调会听取各方意见,改变共有部分用途依民法典第二百七十八条由业主表决。",
        preset=PRESET,
        material=("车位改造方案", "12处绿地位置图、补种方案、造价与停车管理办法。"),
    )
    await matter.announce("关于荷塘月色停车位改造协商的公告", "就占用12处绿地改造停车位开展协商。")
    yield at("2026-07-15", "09:00")
    meeting = await matter.convene(
        "four_party_meeting", "停车位改造四方议事协调会", at("2026-07-22", "19:00")
    )
    thread = await matter.thread("绿地改车位,怎么看")
    yield at("2026-07-16", "20:00")
    areas = owners(ESTATE)
    taking_part = choose(areas, 588, 6021540, seed=3)
    agreeing = choose({phone: areas[phone] for phone in taking_part}, 447, 4481230, seed=3)
    shop = stage.people.by_phone(max(areas, key=lambda phone: areas[phone]))
    await matter.post(
        thread, shop, "against", "商铺门前那两处绿地改了车位,客人进不来,请把商铺面积和损失算清楚。"
    )
    yield at("2026-07-22", "19:00")
    four = {
        "社区党组织": matter.secretary,
        "居民委员会": matter.head,
        "业主委员会": matter.person(chair.name, "owners_committee"),
        "物业服务企业": matter.person("祝新民", "property_company"),
    }
    for group, someone in four.items():
        await matter.attend(meeting, group, [someone])
    await matter.attend(meeting, SHOPS, [shop])
    await matter.absent(meeting, HOMES, "由业主委员会收集书面意见37份,附后。")
    await matter.sit(meeting)
    yield at("2026-07-22", "21:00")
    await matter.rise(meeting)
    await matter.minutes(
        meeting,
        {
            "summary": "四方议事协调会建议将车位改造方案提交业主表决,会议意见不代替业主表决。",
            "points_for": ["消防通道必须让出来。"],
            "points_against": ["商铺门前两处绿地不应改。"],
        },
        [four["业主委员会"], four["物业服务企业"], shop],
    )
    yield at("2026-07-28")
    await matter.publish_minutes(meeting)
    await matter.close_deliberation()
    await matter.outcome(
        ["占用12处零星绿地改造停车位,同步补种乔木。"],
        "商铺业主认为门前两处绿地改造影响经营;部分业主反对减少绿地。",
    )
    poll = await matter.poll(
        preset=PRESET,
        scope=ESTATE,
        question="是否同意占用12处绿地改造停车位",
        items=[{"text": "同意占用12处绿地改造停车位并补种乔木"}],
        opens=at("2026-08-13", "00:00"),
        closes=at("2026-08-28", "00:00"),
    )
    yield at("2026-08-20", "20:00")
    agree = set(agreeing)
    await matter.vote(poll, {p: "for" if p in agree else "against" for p in taking_part})
    yield at("2026-08-28", "10:00")
    result = await matter.sign(poll)
    heads, area = result["items"][0]["tallies"][0]["approval"]
    turnout = result["participating"]
    stage.expect("D3", "参与人数、面积", (turnout["heads"], turnout["area_dm2"]), (588, 6021540))
    stage.expect("D3", "同意人数、面积", (heads["value"], area["value"]), (447, 4481230))
    stage.expect("D3", "人数达到、面积未达到", (heads["reached"], area["reached"]), (True, False))
    yield at("2026-09-02", "10:00")
    await matter.secretary.post(
        matter.url("/reconsultation"),
        {
            "ground": "changed_plan",
            "reason": "同意面积未达到四分之三,调整方案后再协商。",
            "changes": ["取消商铺门前两处绿地的改造", "增加立体停车方案比较"],
        },
    )
    matter.said("周文静决定再协商,方案去掉商铺门前两处绿地")
    await matter.must_be(State.RECONSULTATION)
