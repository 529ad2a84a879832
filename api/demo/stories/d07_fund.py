"""D7 2026年度为民服务专项资金: 58 of 76 members allot 200,000 yuan in the order of votes."""

from collections.abc import AsyncGenerator
from datetime import datetime

from api.demo.fixtures import FUND
from api.demo.matter import Matter
from api.demo.stage import Stage, at
from api.demo.voters import of_role
from consultation.topics.states import State

PRESET = "fund_allocation@2026-01-01"
MEMBERS = "居民(村民)代表"


async def play(stage: Stage) -> AsyncGenerator[datetime]:
    matter = Matter(stage, "D7")
    members = of_role("wutongli", "居民代表")

    yield at("2026-10-12", "09:00")
    await matter.raise_topic(
        matter.person("周文静", "party_secretary"),
        {
            "title": "2026年度为民服务专项资金(20万元)使用",
            "summary_plain": "今年20万元怎么用,五个项目,由居民代表会议按票数决定。",
            "problem": "为民服务专项资金20万元需要确定使用项目。",
            "wish": "由居民代表会议在五个征集项目中按票数确定。",
            "place": "梧桐里社区",
            "affected": ["全体居民"],
        },
        at="wutongli",
    )
    yield at("2026-10-13")
    await matter.accept(
        category="public_interest_decision", layer="assembly", matter_list="self_governance"
    )
    yield at("2026-10-14")
    await matter.prepare(
        groups={"全体居民": True},
        forms={"council_meeting": True, "representatives_assembly": False},
        ends="2026-11-10",
        text="议事会比选项目,居民代表会议按票数在总额内确定。",
        preset=PRESET,
        material=(
            "五个项目的内容和预算",
            "扶手86000元、微花园54000元、监控60000元、理发体检32000元、电子屏78000元。",
        ),
    )
    await matter.announce(
        "关于为民服务专项资金使用协商的公告", "五个征集项目已公布,由居民代表会议确定。"
    )
    yield at("2026-10-20", "09:00")
    council = of_role("wutongli", "议事会成员")
    meeting = await matter.convene(
        "council_meeting",
        "专项资金项目议事会",
        at("2026-10-27", "14:00"),
        quorum_members=len(council),
    )
    yield at("2026-10-27", "14:00")
    sitting = [stage.people.by_phone(phone) for phone in council[:12]]
    await matter.attend(meeting, "议事会成员", sitting)
    await matter.absent(meeting, "全体居民", "10月20日至26日公开征集,收到意见64条,附后。")
    await matter.sit(meeting)
    yield at("2026-10-27", "16:00")
    await matter.rise(meeting)
    await matter.minutes(
        meeting, {"summary": "议事会逐项比选,建议五个项目全部提交居民代表会议表决。"}, sitting
    )
    await matter.publish_minutes(meeting)
    yield at("2026-10-30")
    await matter.close_deliberation()
    await matter.outcome(
        [f"{name},预算{yuan}元。" for name, yuan, _ in FUND],
        "部分代表认为监控补点缺少比价材料,门厅电子屏不急需。",
    )
    yield at("2026-11-06", "09:00")
    assembly = await matter.convene(
        "representatives_assembly",
        "居民代表会议",
        at("2026-11-16", "18:30"),
        place="社区党群服务中心三楼",
        quorum_members=76,
    )
    poll = await matter.poll(
        preset=PRESET,
        scope="wutongli",
        question="2026年度为民服务专项资金使用项目",
        items=[{"text": name, "cost_fen": yuan * 100} for name, yuan, _ in FUND],
        opens=at("2026-11-16", "19:00"),
        closes=at("2026-11-16", "20:30"),
        meeting_id=assembly,
        budget_fen=20_000_000,
    )
    yield at("2026-11-16", "18:35")
    people = [stage.people.by_phone(phone) for phone in members[:58]]
    await matter.attend(assembly, MEMBERS, people)
    await matter.sit(assembly)
    yield at("2026-11-16", "19:20")
    await matter.must_be(State.VOTING)
    for place, someone in enumerate(people):
        answers = [
            {"item": number, "choices": ["for" if place < agree else "against"]}
            for number, (_, _, agree) in enumerate(FUND, 1)
        ]
        await someone.put(f"polls/{poll}/ballot", {"answers": answers})
    matter.said("58名到会代表逐项投票")
    yield at("2026-11-16", "20:40")
    await matter.rise(assembly)
    result = await matter.sign(poll)
    funding = [item["funding"] for item in result["items"]]
    stage.expect("D7", "列支与备选", funding, ["funded", "reserve", "funded", "funded", None])
    stage.expect("D7", "结余(分)", result["budget_left_fen"], 2_200_000)
    await matter.must_be(State.OUTCOME_PUBLIC)
