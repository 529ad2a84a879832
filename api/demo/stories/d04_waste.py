"""D4 垃圾分类亭选址: being deliberated; a live thread, statements, a moderated post whose author
appealed and was heard, a hearing ahead."""

from collections.abc import AsyncGenerator
from datetime import datetime

from api.demo.matter import Matter
from api.demo.stage import Stage, at
from api.demo.voters import spokespeople
from consultation.topics.states import State

ESTATE = "桐荫苑"
STATEMENTS = (
    "分类亭应当离住宅窗户至少15米。",
    "分类亭要有水池和除臭,夏天每天冲洗。",
    "定时开放比全天开放更好管理。",
    "宁可多走一百米,也不要放在楼下。",
)


async def play(stage: Stage) -> AsyncGenerator[datetime]:
    matter = Matter(stage, "D4")
    households = spokespeople(ESTATE)
    neighbours = [stage.people.by_phone(phone) for phone in households[100:124]]
    proposer = neighbours[0]

    yield at("2026-10-20", "19:30")
    await matter.raise_topic(
        proposer,
        {
            "title": "垃圾分类亭选址",
            "summary_plain": "分类亭放在哪里好,三个备选点,请大家说说。",
            "problem": "4幢东侧的垃圾桶夏天气味大,分类设施也不够。",
            "wish": "建分类亭,从三个备选点里选一个大家能接受的。",
            "place": "桐荫苑",
            "affected": ["备选点附近住户"],
            "open_to_cosign": True,
        },
        at=ESTATE,
    )
    yield at("2026-10-26")
    await matter.accept(
        category="vital_interest_problem", layer="consultation", matter_list="self_governance"
    )
    yield at("2026-10-29")
    await matter.prepare(
        groups={"备选点附近住户": True, "其他住户": False},
        forms={"hearing": True, "online_deliberation": True},
        ends="2026-12-05",
        text="线上听取意见,再召开听证会,就三个备选点形成意见。",
        material=("三个备选点比较表", "4幢东侧、北门内侧、车棚旁:距离、风向、清运路线对比。"),
    )
    await matter.announce(
        "关于垃圾分类亭选址协商的公告", "三个备选点已公布,欢迎发表意见,并将召开听证会。"
    )
    yield at("2026-11-09", "09:00")
    await matter.must_be(State.DELIBERATING)
    thread = await matter.thread("三个备选点,放在哪里")
    await matter.convene(
        "hearing",
        "垃圾分类亭选址听证会",
        at("2026-11-26", "19:00"),
        selection="备选点附近住户每幢自愿报名、抽签产生5人,名单11月18日公布。",
    )
    yield at("2026-11-10", "20:00")
    one, two, three = neighbours[1:4]
    await matter.post(thread, one, "against", "分类亭放在4幢东侧,夏天味道谁受得了?")
    await matter.post(thread, two, "for", "现在垃圾桶就在那里,分类亭有盖有水池反而更干净。")
    await matter.post(
        thread,
        matter.host,
        "neutral",
        "请围绕“三个备选点”发表意见,每人每次不超过300字;涉及他人姓名的评论会折叠,可以申诉。",
    )
    hidden = await matter.post(
        thread, three, "question", "4幢东侧的住户是不是又有人带头闹?请说说到底为什么不行。"
    )
    yield at("2026-11-11", "09:00")
    await matter.clerk.put(
        f"posts/{hidden}/hiding",
        {"reason_code": "personal_attack", "reason": "“带头闹”指向具体住户。"},
    )
    matter.said("陶颖折叠一条发言并说明理由,作者收到通知")
    yield at("2026-11-11", "20:00")
    await three.put(f"posts/{hidden}/appeal", {"reason": "我问的是理由,没有点任何人的名。"})
    yield at("2026-11-12", "10:00")
    await matter.supervisor.put(
        f"posts/{hidden}/review", {"restore": True, "opinion": "没有指向具体个人,恢复显示。"}
    )
    matter.said("监督委员会复核,申诉成立,发言恢复")
    yield at("2026-11-13", "20:00")
    for place, text in enumerate(STATEMENTS):
        added = await neighbours[place].post(matter.url("/statements"), {"text": text})
        for number, someone in enumerate(neighbours):
            mark = ("agree", "agree", "disagree", "pass", "agree")[(number * 7 + place * 3) % 5]
            await someone.put(f"statements/{added['id']}/mark", {"mark": mark})
    matter.said(f"{len(neighbours)} 位居民对 {len(STATEMENTS)} 条观点表态")
