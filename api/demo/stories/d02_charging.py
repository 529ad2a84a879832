"""D2 梧桐新村电瓶车集中充电棚选址, and D11, a duplicate that is merged into it: consultation, a
household poll, two sheds late by ten days, a survey."""

from collections.abc import AsyncGenerator
from datetime import datetime

from api.demo.matter import Matter
from api.demo.stage import Stage, at
from api.demo.voters import spokespeople
from consultation.topics.states import State

ESTATE = "梧桐新村"
PRESET = "household_poll@2026-01-01"
CYCLISTS = "电瓶车户"
NEARBY = "棚址附近住户"
ITEMS = [
    "选址由9幢西侧改为南门内侧空地(距住宅外墙最近12米)和14幢北侧两处。",
    "设60个充电口,配烟感、断电和监控。",
    "电价加服务费每度不高于0.80元,每季度公布。",
    "老年人免费办卡,可投币。",
    "验收后三个月集中清理楼道飞线,先劝导后由主管部门处理,居委会不作为执法主体。",
]
MINORITY = "主要理由:步行距离增加、南门进出高峰拥堵、担心收费上涨。"
MINORITY_AFTER = (
    "98户不赞成,主要理由:步行距离增加(平均约140米)、南门进出高峰拥堵、担心收费上涨。处理:南门侧分时进出;"
    "收费上限写入协议;六个月后复评,多数使用户不满意的,重新协商。"
)
MINUTES = {
    "summary": "时间:2026年4月25日15:00;地点:社区党群服务中心二楼议事室。9幢、12幢、14幢住户和物业到会,"
    "沈阿婆的意见由网格员代录。",
    "points_for": ["楼道停车、飞线充电已经起过明火,集中充电要尽快。"],
    "points_against": ["9幢西山墙正对卧室,万一起火怎么办。"],
    "agreed": ["不在9幢西侧建棚,改选南门内侧和14幢北侧。", "棚内要有灯、有监控、有烟感。"],
    "disagreed": ["部分住户认为步行太远。"],
    "next_steps": ["公告选址方案,由户代表表决。"],
}
FEEDBACK = (
    "两处充电棚9月10日投入使用,开通60口,日均使用143车次;总投入11.6万元,明细附后。原定8月底完工,因雨延误10天,"
    "特此说明。收到补充意见7条,采纳4条,其余3条理由附后。满意度测评自9月25日至10月8日,优先邀请楼栋内电瓶车户和"
    "棚边住户。"
)
SCORES = (96, 88, 27, 12, 5)  # from very satisfied to very dissatisfied
ENTERED = {"paper": 41, "assisted": 16}  # the other 171 answered online
THEMES = ("高峰排队", "雨天积水", "希望增加夜间巡查")


async def play(stage: Stage) -> AsyncGenerator[datetime]:
    matter = Matter(stage, "D2")
    proposer, tenant = matter.person("吴晓曼"), matter.person("李想")
    worker = matter.person("韩露", "grid_worker")
    households = spokespeople(ESTATE)

    yield at("2026-04-02", "21:00")
    await matter.raise_topic(
        proposer,
        {
            "title": "梧桐新村电瓶车集中充电棚选址",
            "summary_plain": "楼道停车、飞线充电很危险,想建集中充电棚,地方大家选。",
            "problem": "梧桐新村晚上一半楼道停着电瓶车,从窗户拉线充电随处可见。3月27日9幢起过一次明火。",
            "wish": "建议建集中充电棚,地方大家一起选。",
            "place": ESTATE,
            "affected": [CYCLISTS, NEARBY],
            "open_to_cosign": True,
        },
        at=ESTATE,
    )
    yield at("2026-04-03", "20:00")
    await matter.cosign(households[10:34])
    yield at("2026-04-07")
    await matter.accept(
        category="vital_interest_problem", layer="consultation", matter_list="self_governance"
    )

    duplicate = Matter(stage, "D11")
    yield at("2026-04-08", "19:00")
    await duplicate.raise_topic(
        tenant,
        {
            "title": "增设充电桩",
            "problem": "12幢没有地方给电瓶车充电。",
            "wish": "请在小区增设充电桩。",
            "place": "梧桐新村12幢",
            "affected": [CYCLISTS],
        },
        at=f"{ESTATE}-12",
    )
    yield at("2026-04-10")
    await duplicate.secretary.post(
        duplicate.url("/merge"),
        {
            "into_id": matter.topic_id,
            "reason": "与“梧桐新村电瓶车集中充电棚选址”事项和范围相同,并案协商。",
        },
    )
    duplicate.said("与D2并案,提议人转入D2并获告知")
    await duplicate.must_be(State.MERGED)

    yield at("2026-04-13", "10:00")
    await matter.prepare(
        groups={CYCLISTS: True, NEARBY: True, "其他住户": False},
        forms={"heart_to_heart_meeting": True, "online_deliberation": True},
        ends="2026-05-10",
        text="线上征集选址意见,召开恳谈会比选三个备选点,形成方案后由户代表表决。",
        preset=PRESET,
        material=(
            "三个备选点比较",
            "9幢西侧、南门内侧、14幢北侧:距离、风向、消防通道和接电条件比较表。",
        ),
    )
    await matter.announce(
        "关于梧桐新村充电棚选址协商的公告", "就充电棚建在哪里、收费和管理开展协商。"
    )
    yield at("2026-04-19", "09:00")
    await matter.must_be(State.DELIBERATING)
    meeting = await matter.convene(
        "heart_to_heart_meeting", "充电棚选址民情恳谈会", at("2026-04-25", "15:00")
    )
    thread = await matter.thread("充电棚建在哪里")
    yield at("2026-04-20", "20:30")
    near = stage.people.by_phone(households[12])
    await matter.post(
        thread, near, "against", "安全我支持,但别放在9幢西山墙,那里正对我家卧室,万一起火怎么办?"
    )
    await matter.post(
        thread,
        tenant,
        "question",
        "外卖骑手夜里两点回来充电,棚子要有灯、有监控,价格不要比家里贵太多。",
    )
    elder = await _elder(matter, worker)
    await matter.post(
        thread,
        worker,
        "neutral",
        "我没有手机,充电的车少停在我们散步的路上就行。",
        on_behalf={
            "resident_id": elder,
            "consent_note": "4月20日上门,沈阿婆口述,念给她听后同意发表。",
        },
    )
    yield at("2026-04-25", "15:00")
    await matter.attend(meeting, CYCLISTS, [proposer, tenant])
    await matter.attend(meeting, NEARBY, [near])
    other = stage.people.by_phone(households[60])
    await matter.attend(meeting, "其他住户", [other])
    await matter.sit(meeting)
    yield at("2026-04-25", "16:40")
    await matter.rise(meeting)
    await matter.minutes(meeting, MINUTES, [proposer, near, tenant, other])
    await matter.publish_minutes(meeting)
    dissent = await matter.dissent(near, "南门内侧离我家太远,高峰也堵,我不赞成。")
    absent = await matter.dissent(stage.people.by_phone(households[40]), "担心收费上涨。")
    yield at("2026-04-28")
    await matter.close_deliberation()
    await matter.outcome(
        ITEMS,
        MINORITY,
        [
            {
                "group": NEARBY,
                "impact": "夜间照明和出入声音。",
                "mitigation": "灯光朝下,22时后降亮度;设隔离绿化。",
            }
        ],
    )
    yield at("2026-04-30", "10:00")
    poll = await matter.poll(
        preset=PRESET,
        scope=ESTATE,
        question="是否支持充电棚选址和收费方案",
        items=[{"text": "支持在南门内侧和14幢北侧建设充电棚,电价加服务费每度不高于0.80元"}],
        opens=at("2026-05-06", "08:00"),
        closes=at("2026-05-13", "20:00"),
    )
    yield at("2026-05-08", "20:00")
    votes = [*["for"] * 301, *["against"] * 98, *["abstain"] * 22]
    await matter.vote(poll, dict(zip(households, votes, strict=False)))
    yield at("2026-05-14", "09:00")
    result = await matter.sign(poll)
    counted = [tally["votes"]["heads"] for tally in result["items"][0]["tallies"]]
    stage.expect(
        "D2",
        "参与户数/占用户数",
        (result["participating"]["heads"], result["eligible"]["heads"]),
        (421, 640),
    )
    stage.expect("D2", "同意、反对、弃权", counted, [301, 98, 22])
    stage.expect("D2", "结论", result["verdict"], "supported")
    await matter.revise_minority(MINORITY_AFTER, "补充表决中反对票的数量和处理办法")

    yield at("2026-05-27", "15:00")
    await matter.must_be(State.ADOPTION_PENDING)
    await matter.adopt(
        dict.fromkeys(range(1, 6), ("adopted", "符合多数住户意愿,予以采纳,由社区组织实施。"))
    )
    await matter.explain(
        dissent,
        "您担心步行距离和南门拥堵:已约定南门侧分时进出,六个月后复评,多数使用户不满意的重新协商。",
        channel="in_person",
    )
    await matter.answer(dissent, near, "understood")
    for day, note in (
        ("2026-05-28", "上门两次无人,留条。"),
        ("2026-06-01", "再次上门并致电,未接通,第三次留条。"),
    ):
        yield at(day, "19:00")
        await matter.explain(
            absent,
            f"联系记录:{note}收费上限已写入协议,每季度公布。",
            channel="home_visit",
            reached=False,
        )

    yield at("2026-06-05")
    tasks = [
        await matter.task(
            "建设两处充电棚(60口)",
            responsible="wutongli-committee",
            due="2026-08-31",
            item_number=1,
            budget_fen=12_000_000,
            funding_source="为民服务专项资金",
            milestones=[
                {"title": "地面与顶棚", "due_on": "2026-07-31"},
                {"title": "接电与消防验收", "due_on": "2026-08-31"},
            ],
        )
    ]
    plans = (
        (2, "烟感、断电和监控", "works"),
        (3, "收费协议与季度公布", "covenant"),
        (4, "老年人免费卡", "service"),
        (5, "劝导清理楼道飞线", "publicity"),
    )
    for number, title, category in plans:
        tasks.append(
            await matter.task(
                title,
                responsible="wutongli-committee",
                due="2026-08-31",
                item_number=number,
                category=category,
                funding_source="为民服务专项资金",
            )
        )
    refused = await matter.clerk.post(
        matter.url("/tasks"),
        {
            "title": "强制拖移违停电瓶车",
            "category": "law_enforcement",
            "due_on": "2026-08-31",
            "item_number": 5,
            "responsible_org_id": await matter.org("wutongli-committee"),
            "funding_source": "无",
        },
        expect=422,
    )
    stage.expect("D2", "居委会不作为执法责任主体", refused["code"], "responsible-org-not-allowed")
    await matter.implement("社区居民委员会实施,惠民物业配合,八月底完工。")
    yield at("2026-08-20")
    await matter.progress(tasks[0], "顶棚完成;连续降雨,接电推迟,预计9月10日前投入使用。")
    yield at("2026-09-01", "10:00")
    late = [
        task
        for task in (await matter.clerk.get(matter.url("/tasks")))["items"]
        if task["overdue_since"]
    ]
    stage.expect("D2", "公开页面显示超期事项", len(late), 5)
    yield at("2026-09-09", "17:00")
    await matter.spend(tasks[0], 98_000, "顶棚、地面与充电设备", "2026-09-08")
    await matter.spend(tasks[0], 18_000, "接电与消防设施", "2026-09-08")
    for task in tasks:
        await matter.finish(task, "完成并投入使用。", resident=proposer)
    await matter.report("两处充电棚60口建成,消防验收合格,9月10日投入使用。")
    yield at("2026-09-18")
    await matter.feedback(FEEDBACK, posted="2026-09-18", place="梧桐新村南门公告栏")
    await matter.must_be(State.EVALUATING)

    survey = (await matter.clerk.get(matter.url("/survey")))["id"]
    yield at("2026-09-28", "20:00")
    await _rate(matter, survey, households)
    yield at("2026-10-12", "09:00")
    closed = await matter.clerk.get(matter.url("/survey"))
    stage.expect("D2", "满意度由系统公布,收回", closed["result"]["answers"], 228)
    stage.expect(
        "D2", "各档份数(从很不满意到很满意)", closed["result"]["scores"], [5, 12, 27, 88, 96]
    )


async def _elder(matter: Matter, worker: object) -> str:
    """沈阿婆 has no phone; the clerk finds her in the register of her home."""
    entrance = await matter.place(f"{ESTATE}-8-2")
    page = await matter.clerk.get(f"nodes/{entrance}/households")
    home = next(row for row in page["items"] if row["unit_code"] == f"{ESTATE}-8-2-101")
    return home["representative_id"]


async def _rate(matter: Matter, survey: str, households: list[str]) -> None:
    """228 answers: online by phone, the others entered from paper and on behalf."""
    scores = [
        score for score, count in zip((5, 4, 3, 2, 1), SCORES, strict=True) for _ in range(count)
    ]
    channels = [channel for channel, count in ENTERED.items() for _ in range(count)]
    for place, (phone, score) in enumerate(zip(households, scores, strict=False)):
        body = {"score": score, "themes": [THEMES[place % 3]] if score < 5 else []}
        person = matter.stage.people.by_phone(phone)
        if place < len(channels):
            entered = {
                "person_id": await matter.stage.people.id_of(person),
                "channel": channels[place],
            }
            await matter.clerk.post(f"surveys/{survey}/entered-answers", body | entered)
        else:
            await person.put(f"surveys/{survey}/answer", body)
    matter.said(f"收到满意度测评 {len(scores)} 份")
