"""D8 文昌巷路灯长期不亮: transferred to the hotline, answered, sent back once, answered again."""

from collections.abc import AsyncGenerator
from datetime import datetime

from api.demo.matter import Matter
from api.demo.stage import Stage, at
from api.demo.voters import spokespeople
from consultation.topics.states import State


async def play(stage: Stage) -> AsyncGenerator[datetime]:
    matter = Matter(stage, "D8")
    author = stage.people.by_phone(spokespeople("桐荫苑")[200], "文昌巷居民")
    desk = matter.person("苏敏", "government")

    yield at("2026-06-16", "20:30")
    await matter.raise_topic(
        author,
        {
            "title": "文昌巷路灯长期不亮",
            "problem": "文昌巷6盏路灯已经一个多月不亮,晚上放学的孩子看不见路。",
            "wish": "请尽快修好路灯。",
            "place": "桐荫苑南门外文昌巷",
            "affected": ["巷内住户"],
        },
        at="桐荫苑",
    )
    yield at("2026-06-17", "09:30")
    sent = await matter.secretary.post(
        matter.url("/transfers"),
        {
            "receiver_org_id": await matter.org("hotline"),
            "reason": "路灯维护属于市政部门职责,转12345办理。",
            "ticket": "12345-2026-0617",
        },
    )
    matter.said("周文静转办12345,工单编号12345-2026-0617")
    transfer = sent["id"]
    yield at("2026-06-17", "11:00")
    await desk.post(f"transfers/{transfer}/receipt", {"ticket": "12345-2026-0617"})
    yield at("2026-06-24", "17:00")
    await desk.post(
        f"transfers/{transfer}/answer",
        {
            "answer": "文昌巷6盏路灯电缆被施工挖断,6月21日修复。社区网格员当晚核实,5盏亮、1盏仍不亮,退回再办,"
            "6月24日全部恢复。"
        },
    )
    matter.said("12345答复:6月24日全部恢复")
    yield at("2026-06-25", "09:00")
    await matter.clerk.post(f"transfers/{transfer}/relay")
    yield at("2026-06-26", "20:00")
    await author.post(f"transfers/{transfer}/rating", {"rating": 4})
    matter.said("提议人评价办理结果 4 分")
    await matter.must_be(State.TRANSFERRED)
