"""D5 秋水名邸物业服务费调整: the owners are voting; turnout is not reached yet."""

from collections.abc import AsyncGenerator
from datetime import datetime

from api.demo.matter import Matter
from api.demo.paper import print_paper
from api.demo.second_people import help_at_office
from api.demo.stage import Stage, at
from api.demo.stories import d05_channels as channels
from api.demo.voters import choose, owners
from consultation.topics.states import State

ESTATE = "秋水名邸"
PRESET = "civil278_general@2021-01-01"
NOTICE = (
    "秋水名邸业主大会会议公告:表决事项仅一项——“物业服务费由每月每平方米1.60元调整为1.95元,同步执行附件所列二级"
    "服务标准,自2027年1月1日起”。选项:同意、反对、弃权。参与表决人数和面积均须达到三分之二以上,经参与表决人数和"
    "面积均过半数同意方为通过。未投票不计为同意。物业公司人员不得代投、不得查看个人选择。"
)


async def play(stage: Stage) -> AsyncGenerator[datetime]:
    matter = Matter(stage, "D5")
    chair = matter.person("方敬言")

    yield at("2026-09-14", "20:00")
    await matter.raise_topic(
        chair,
        {
            "title": "秋水名邸物业服务费调整",
            "summary_plain": "物业费从1.60元调到1.95元,服务升到二级,要业主表决。",
            "problem": "物业服务费十年未调,秩序维护和绿化养护缺人。",
            "wish": "由每月每平方米1.60元调整为1.95元,同步执行二级服务标准。",
            "place": ESTATE,
            "affected": ["全体业主"],
        },
        at=ESTATE,
    )
    yield at("2026-09-17")
    await matter.accept(
        category="vital_interest_problem", layer="owners", matter_list="self_governance"
    )
    yield at("2026-09-21")
    await matter.prepare(
        groups={"全体业主": True},
        forms={"four_party_meeting": True},
        ends="2026-10-31",
        text="先开四方议事协调会公开成本,再由业主按民法典第二百七十八条表决。",
        preset=PRESET,
        material=("服务费成本测算与二级服务标准", "近三年收支、人员配置和二级服务标准对照表。"),
    )
    await matter.announce("关于物业服务费调整协商的公告", NOTICE)
    yield at("2026-09-28", "09:00")
    meeting = await matter.convene(
        "four_party_meeting", "物业服务费四方议事协调会", at("2026-10-10", "19:00")
    )
    yield at("2026-10-10", "19:00")
    four = {
        "社区党组织": matter.secretary,
        "居民委员会": matter.head,
        "业主委员会": matter.person(chair.name, "owners_committee"),
        "物业服务企业": matter.person("戚少华", "property_company"),
    }
    for group, someone in four.items():
        await matter.attend(meeting, group, [someone])
    areas = owners(ESTATE)
    taking_part = choose(areas, 271, 3200455, seed=5)
    owner = stage.people.by_phone(taking_part[0])
    await matter.attend(meeting, "全体业主", [owner])
    await matter.sit(meeting)
    yield at("2026-10-10", "20:40")
    await matter.rise(meeting)
    summary = "物业公司公开近三年收支;业主代表要求二级服务标准逐条公示并按季考核。会议意见不代替业主表决。"
    await matter.minutes(
        meeting, {"summary": summary}, [four["业主委员会"], four["物业服务企业"], owner]
    )
    yield at("2026-10-14")
    await matter.publish_minutes(meeting)
    await matter.close_deliberation()
    await matter.outcome(
        ["物业服务费由每月每平方米1.60元调整为1.95元,同步执行二级服务标准,自2027年1月1日起。"],
        "部分业主认为应先考核现有服务再谈调价。",
    )
    poll = await matter.poll(
        preset=PRESET,
        scope=ESTATE,
        question="物业服务费调整",
        items=[
            {"text": "同意物业服务费由1.60元调整为1.95元,同步执行二级服务标准,自2027年1月1日起"}
        ],
        opens=at("2026-11-01", "00:00"),
        closes=at("2026-12-01", "00:00"),
    )
    others = sorted(areas.keys() - set(taking_part))
    seller, mover = others[0], taking_part[20]
    yield at("2026-10-15", "10:00")
    objection = await channels.object_to_roll(matter, poll, seller=seller, buyer="吴晓曼")
    yield at("2026-10-16", "15:00")
    await channels.uphold(matter, poll, objection, ESTATE, seller=seller, buyer="吴晓曼")
    await print_paper(matter, poll, 60)
    yield at("2026-10-28", "09:00")
    await channels.change_hands(matter, ESTATE, seller=mover, buyer="何建军")
    yield at("2026-11-12", "19:00")
    await matter.must_be(State.VOTING)
    on_paper, twice, principal = taking_part[10:13]
    helped = taking_part[15]
    await channels.paper_in_doubt(matter, poll, on_paper)
    until = at("2026-12-01", "00:00").isoformat()
    await channels.mandate(matter, poll, principal, holder="李想", until=until)
    yield at("2026-11-12", "20:00")
    choices = ("for", "for", "against", "for", "abstain")
    votes = {phone: choices[n % 5] for n, phone in enumerate(taking_part)}
    del votes[on_paper]
    beside = matter.person("殷桂生", "supervisor")  # has not countersigned yet
    await help_at_office(matter, poll, helped, votes.pop(helped), beside=beside)
    await matter.vote(poll, votes)
    await channels.paper_and_phone(matter, poll, twice)
    await channels.check_ledger(matter, poll)
    seen = await matter.supervisor.get(f"polls/{poll}")
    heads, area = seen["turnout_progress"]
    stage.expect("D5", "已参与", (heads["value"], area["value"]), (271, 3200455))
    stage.expect("D5", "还需达到", (heads["needed"], area["needed"]), (326, 3880747))
    stage.expect("D5", "截止前没有结果", seen["result"], None)
