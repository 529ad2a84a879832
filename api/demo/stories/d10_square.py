"""D10 广场舞时间与音量公约: the outcome is being drafted; strongly disputed, so the assembly is next."""

from collections.abc import AsyncGenerator
from datetime import datetime

from api.demo.matter import Matter
from api.demo.stage import Stage, at
from api.demo.voters import spokespeople
from consultation.topics.states import State

DANCERS, NEIGHBOURS, YOUNG = "广场舞队员", "广场周边住户", "青少年"


async def play(stage: Stage) -> AsyncGenerator[datetime]:
    matter = Matter(stage, "D10")
    households = spokespeople("桐荫苑")
    dancer, neighbour, parent = (stage.people.by_phone(households[n]) for n in (300, 310, 320))

    yield at("2026-09-22", "19:00")
    await matter.raise_topic(
        dancer,
        {
            "title": "广场舞时间与音量公约",
            "summary_plain": "几点跳、多大声,大家一起定个公约。",
            "problem": "广场舞晚上的时间和音量一直有争议,报过几次警。",
            "wish": "商量一份公约,跳得开心,也不吵邻居。",
            "place": "党群服务中心前广场",
            "affected": [DANCERS, NEIGHBOURS, YOUNG],
        },
        at="wutongli",
    )
    yield at("2026-09-25")
    await matter.accept(
        category="resident_raised_major", layer="consultation", matter_list="self_governance"
    )
    yield at("2026-09-28")
    await matter.prepare(
        groups={DANCERS: True, NEIGHBOURS: True, YOUNG: True},
        forms={"coordination_meeting": True, "online_deliberation": False},
        ends="2026-11-10",
        text="召开协调会,另设青少年专场,形成居民公约草案。",
        material=("周边小区的公约", "三份公约文本和60分贝限值说明。"),
    )
    await matter.announce("关于广场舞公约协商的公告", "就时间、音量和场地开展协商,另设青少年专场。")
    yield at("2026-10-09", "09:00")
    meeting = await matter.convene(
        "coordination_meeting", "广场舞公约协调会", at("2026-10-17", "15:00")
    )
    yield at("2026-10-17", "15:00")
    await matter.attend(meeting, DANCERS, [dancer])
    await matter.attend(meeting, NEIGHBOURS, [neighbour])
    await matter.attend(meeting, YOUNG, [parent])
    await matter.sit(meeting)
    yield at("2026-10-17", "17:00")
    await matter.rise(meeting)
    await matter.minutes(
        meeting,
        {
            "summary": "协调会讨论时间、音量和场地。青少年专场意见由家长代表转达。",
            "points_for": ["音箱由队长负责,社区提供定向音箱两台。"],
            "points_against": ["晚上应当到20:00为止。"],
            "agreed": [
                "早晨7:00—8:30;音量以活动区边界60分贝为限,中考高考期间暂停。",
                "周日上午给孩子们留半块场地打羽毛球。",
            ],
            "disagreed": ["晚间结束时间:20:00还是20:30。"],
            "next_steps": ["晚间结束时间分歧较大,拟提交居民代表会议决定。"],
        },
        [dancer, neighbour, parent],
    )
    await matter.publish_minutes(meeting)
    yield at("2026-11-10")
    await matter.close_deliberation()
    await matter.outcome(
        [
            "广场舞活动时间为7:00—8:30、19:00—20:30。",
            "音量以活动区边界60分贝为限,中考高考期间暂停。",
            "音响由队长负责,社区提供定向音箱两台;周日上午留半块场地给青少年。",
        ],
        "周边部分住户要求晚上20:00结束;因分歧较大,拟提交居民代表会议决定。",
    )
    await matter.must_be(State.OUTCOME_DRAFTING)
