"""D13 梧桐新村8幢2单元楼道加装扶手: a vote of sixteen households, and how each of them hears of it:
on live, in the background, without credits, without WeChat, without a phone."""

import json
from collections import Counter
from collections.abc import AsyncGenerator
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlmodel import select

from api.demo.matter import Matter
from api.demo.people import Person
from api.demo.stage import Stage, at
from api.demo.watcher import Watcher
from consultation.polls.notice_tables import VoterNotice
from consultation.topics.states import State

ENTRANCE = "梧桐新村-8-2"
GRID = "wutongli-G05"
PRESET = "household_poll@2026-01-01"
WORDS = "poll_opened"
OLD, OTHERS = "高层和老年住户", "其他住户"
ITEMS = ["8幢2单元楼道两侧加装扶手,费用从公共收益列支。"]
MINUTES = {
    "summary": "时间:2026年3月13日19:00;地点:8幢2单元门厅。网格员介绍扶手样式和价格。",
    "points_for": ["老人上下楼有扶手才放心。"],
    "points_against": ["担心楼道变窄,搬家具不便。"],
    "agreed": ["扶手单侧折叠,不占消防通道。"],
    "disagreed": [],
    "next_steps": ["公告表决。"],
}


async def play(stage: Stage) -> AsyncGenerator[datetime]:
    matter = Matter(stage, "D13")
    proposer = matter.person("田秀平")
    live, away, without = (matter.person(name) for name in ("张雨强", "黄庆辉", "姜瑞华"))

    yield at("2026-03-02", "19:30")
    await matter.raise_topic(
        proposer,
        {
            "title": "梧桐新村8幢2单元楼道加装扶手",
            "summary_plain": "八层没有电梯,老人上下楼不方便,想在楼道装扶手。",
            "problem": "8幢2单元楼道没有扶手,去年有两位老人滑倒。",
            "wish": "在楼道加装扶手。",
            "place": "梧桐新村8幢2单元",
            "affected": [OLD, OTHERS],
        },
        at=ENTRANCE,
    )
    yield at("2026-03-03", "10:00")
    await matter.accept(
        category="vital_interest_problem", layer="consultation", matter_list="self_governance"
    )
    yield at("2026-03-04", "10:00")
    await matter.prepare(
        groups={OLD: True, OTHERS: False},
        forms={"heart_to_heart_meeting": True},
        ends="2026-03-31",
        text="开一次恳谈会,形成意见后由各户代表表决。",
        preset=PRESET,
        material=("扶手样式与价格", "不锈钢折叠扶手,八层共计约6400元。"),
        venue="8幢2单元门厅",
    )
    await matter.announce("关于8幢2单元加装扶手协商的公告", "欢迎本单元各户参加恳谈会。")
    yield at("2026-03-10", "09:00")
    await matter.must_be(State.DELIBERATING)
    meeting = await matter.convene(
        "heart_to_heart_meeting", "8幢2单元扶手恳谈会", at("2026-03-16", "19:00")
    )
    yield at("2026-03-16", "19:00")
    await matter.attend(meeting, OLD, [proposer])
    await matter.attend(meeting, OTHERS, [away])
    await matter.sit(meeting)
    yield at("2026-03-16", "20:00")
    await matter.rise(meeting)
    await matter.minutes(meeting, MINUTES, [proposer, away])
    await matter.publish_minutes(meeting)
    yield at("2026-03-17", "09:00")
    await matter.close_deliberation()
    await matter.outcome(ITEMS, "一户担心楼道变窄,改为单侧折叠。")
    poll = await matter.poll(
        preset=PRESET,
        scope=ENTRANCE,
        question="是否同意在8幢2单元楼道加装扶手",
        items=[{"text": "同意加装单侧折叠扶手,费用从公共收益列支"}],
        opens=at("2026-03-23", "09:00"),
        closes=at("2026-03-30", "20:00"),
    )
    for person in (proposer, away):
        await _accept(stage, person)
    await without.get("me")  # has WeChat, and allowed no message
    phone = await _phone_in_hand(stage, live)

    yield at("2026-03-23", "09:05")
    await matter.must_be(State.VOTING)
    await _hears_live(stage, matter, live, phone, poll)
    yield at("2026-03-23", "11:30")
    await _each_once(stage, matter, poll)
    yield at("2026-03-23", "16:00")
    await _at_the_door(stage, matter, poll)

    yield at("2026-03-25", "20:00")
    voters = [proposer, live, away, without]
    await matter.vote(poll, {voter.phone: "for" for voter in voters})
    for name in ("徐梓燕", "姜瑞斌", "彭文莲", "吴海玲", "沈海飞"):
        await matter.vote(poll, {matter.person(name).phone: "for"})
    yield at("2026-03-31", "10:00")
    result = await matter.sign(poll)
    stage.expect("D13", "结论", result["verdict"], "supported")


async def _accept(stage: Stage, person: Person) -> None:
    """The client asks before the person closes the page; they allow one message."""
    await person.get("me")
    prompt = await person.get("me/subscription-prompt")
    answers = {one["template_id"]: "accept" for one in prompt["templates"]}
    tap = {"openid": f"demo-{person.phone}", "answers": answers}
    answer = await stage.people.wechat.post("/__fake__/tap-subscribe", json=tap)
    answer.raise_for_status()
    await person.put(f"me/subscription-accepts/d13-{person.phone}", {"answers": answer.json()})
    stage.step("D13", f"{person.name}在手机上允许发送一次“表决开始”的订阅消息")


async def _phone_in_hand(stage: Stage, person: Person) -> Watcher | None:
    """A phone on the live socket; none while the demo is built in one process."""
    if not stage.watchers:
        return None
    url = str(stage.people.http.base_url).replace("http", "ws", 1).rstrip("/") + "/v1/live"
    watcher = Watcher(url, person)
    await watcher.watch(f"user:{await stage.people.id_of(person)}")
    watcher.start()
    return watcher


async def _hears_live(
    stage: Stage, matter: Matter, person: Person, phone: Watcher | None, poll: str
) -> None:
    if phone is not None:
        [(came, whole)] = (await phone.has_all()).values()
        stage.expect("D13", f"{person.name}的手机实时收到通知", whole and came > 0, True)
        stage.expect("D13", "收到的是通知事件", "notice.added" in phone.types, True)
        await phone.stop()
    inbox = await person.get("me/notices")
    mine = [one for one in inbox["items"] if one["template"] == WORDS and one["poll_id"] == poll]
    stage.expect("D13", f"{person.name}的通知", [one["title"] for one in mine], ["表决开始"])


async def _each_once(stage: Stage, matter: Matter, poll: str) -> None:
    """One message for each household and by one channel; what the channels say is what the ledger
    says."""
    wechat, sms = await _outbox(stage, poll), _texts(stage, poll)
    people = {name: stage.people.phones[name] for name in ("田秀平", "黄庆辉", "姜瑞华", "张雨强")}
    stage.expect(
        "D13",
        "微信订阅消息发给有授权的人,各一条",
        sorted(wechat),
        sorted(f"demo-{people[name]}" for name in ("田秀平", "黄庆辉")),
    )
    stage.expect("D13", "没有授权的改发短信,一条", sms.count(people["姜瑞华"]), 1)
    stage.expect("D13", "实时看到的不再发短信", sms.count(people["张雨强"]), 0)
    stage.expect("D13", "短信人数(含没有微信的11户),各一条", (len(sms), len(set(sms))), (12, 12))
    ledger = await _ledger(stage, poll)
    stage.expect(
        "D13",
        "送达记录与各渠道一致",
        dict(ledger),
        {"live": 1, "wechat": len(wechat), "sms": len(sms)},
    )
    shown = await matter.clerk.get(f"polls/{poll}")
    stage.expect(
        "D13", "公开的送达数/名册", (shown["served"], shown["eligible"]["heads"]), (15, 16)
    )


async def _at_the_door(stage: Stage, matter: Matter, poll: str) -> None:
    worker = matter.person("韩露", "grid_worker")
    unserved = (await worker.get(f"polls/{poll}/unserved"))["items"]
    stage.expect(
        "D13",
        "未送达名单(本网格)",
        [(one["number"], one["label"]) for one in unserved],
        [(1, "8幢 沈**")],
    )
    grid = await matter.place(GRID)
    sheet = [v for v in (await worker.get(f"grids/{grid}/sheet"))["visits"] if v["poll_id"] == poll]
    stage.expect("D13", "上门送达单与名单一致", [visit["number"] for visit in sheet], [1])
    await worker.put(
        f"deliveries/{sheet[0]['id']}/handover",
        {"evidence": "signed_for", "reference": "送达回执 2026-03-23 第1号"},
    )
    stage.step("D13", "韩露上门送达纸质通知,沈阿婆签收")
    left = (await worker.get(f"polls/{poll}/unserved"))["items"]
    stage.expect("D13", "未送达名单", left, [])
    shown = await matter.clerk.get(f"polls/{poll}")
    stage.expect("D13", "送达数", shown["served"], 16)
    stage.expect("D13", "没有人收到两次", sum((await _ledger(stage, poll)).values()), 16)


async def _outbox(stage: Stage, poll: str) -> list[str]:
    """To whom the fake WeChat sent the message about this poll."""
    answer = await stage.people.wechat.get("/__fake__/outbox")
    answer.raise_for_status()
    return [
        one["touser"]
        for one in answer.json()["messages"]
        if one["template_id"] == WORDS and poll in one["page"]
    ]


def _texts(stage: Stage, poll: str) -> list[str]:
    """To whom the SMS file has the message; of the stories, only this one votes these days."""
    path: Path = stage.services.settings.sms_file
    lines: list[dict[str, Any]] = []
    if path.is_file():
        lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return [line["to"] for line in lines if line["template"] == WORDS and "扶手" in line["text"]]


async def _ledger(stage: Stage, poll: str) -> Counter[str]:
    async with stage.services.db.read() as tx:
        rows = await tx.session.exec(
            select(VoterNotice.channel).where(VoterNotice.poll_id == UUID(poll))
        )
        return Counter(str(channel) for channel in rows)
