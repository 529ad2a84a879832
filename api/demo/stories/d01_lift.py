"""D1 桐荫苑3幢2单元加装电梯: fails on area by a hair, is consulted again, passes, is being built. In
the second vote one owner is helped at the office and one votes at home."""

from collections.abc import AsyncGenerator
from datetime import datetime

from api.demo.matter import Matter
from api.demo.paper import bring_to_door, print_paper, read_twice, settle_unused
from api.demo.people import Person
from api.demo.second_people import adds_up, cannot_sign_yet, countersign, help_at_office
from api.demo.stage import Stage, at
from api.demo.voters import owner_of
from consultation.topics.states import State

TITLE = "桐荫苑3幢2单元加装电梯"
ENTRANCE = "桐荫苑-3-2"
PRESET = "lift_scope_owners@2021-01-01"
LOW = "一二层业主"
HIGH = "三层以上业主"
ROOMS = [f"{floor}0{door}" for floor in range(1, 7) for door in (1, 2)]
HELPED, VISITED = "402", "502"
"""Who votes at the office with help, and at home: 钱素珍, whose leg does not carry her down."""
QUESTION = "是否同意按公告方案在3幢2单元加装电梯"

PROBLEM = """桐荫苑3幢2单元六层十二户,现住七十岁以上老人九位,其中四位住在四楼以上。去年冬天五楼的钱奶奶
摔伤后,四个人用椅子抬下楼。""".replace("\n", "")
WISH = "恳请社区组织本单元业主商量加装电梯的事,包括装不装、装在哪一侧、钱怎么分摊、一二楼受影响怎么办。"

FIRST_MINUTES = {
    "summary": "时间:2026年3月30日19:00;地点:社区党群服务中心二楼议事室。应到12户,实到5户,其余各户由网格员"
    "逐户听取意见。设计单位介绍南侧井道方案。",
    "points_for": ["电梯是救命的路,不是享受,费用按楼层系数分。", "趁政府还有补助,早点定下来。"],
    "points_against": [
        "电梯井离南窗只有两米多,采光本来就不好,还有运行的声音。",
        "门口成了候梯厅,要求把基坑深度、隔音标准、今后维修谁出钱写进协议。",
    ],
    "agreed": ["一层两户不分摊费用。"],
    "disagreed": ["井道位置。"],
    "next_steps": ["公告表决事项。"],
}
SECOND_MINUTES = {
    "summary": "协商纪要(第二轮)。时间:2026年5月23日19:00—20:45;地点:社区党群服务中心二楼议事室,同步线上。"
    "牵头:梧桐里社区党委。列席:街道房管员、设计单位、法律顾问、居务监督委员会。设计单位提交改移方案:井道由"
    "南侧改至北侧楼梯间外,距一层最近外窗由2.3米增至5.1米,井壁采用夹胶玻璃,平层入户。",
    "points_for": ["方案改移后采光影响明显减小。"],
    "points_against": ["仍有夜间噪声之忧,保留不同意见。"],
    "agreed": [
        "一层两户不分摊建设费用和运行费用。",
        "由出资户一次性补偿一层每户28000元,设隔音窗各一套。",
        "运行夜间22:30后低速模式。",
        "维修、检验、保险费用由使用户按楼层系数分摊,设共管账户,每半年公布。",
    ],
    "disagreed": ["一层一户不同意加装。会议决定如实记录,单独说明,不以会议形式施压。"],
    "next_steps": ["5月25日起公告表决事项,6月10日至16日表决。"],
}
ITEMS = [
    "在3幢2单元北侧楼梯间外加装电梯一台,平层入户。",
    "一层两户不分摊建设和运行费用,由出资户一次性补偿每户28000元并安装隔音窗。",
    "维修、检验、保险费用由使用户按楼层系数分摊,设共管账户,每半年公布。",
]
IMPACTS = [
    {
        "group": "一层业主",
        "impact": "采光、噪声和入户门厅受到影响。",
        "mitigation": "井道改至北侧;每户补偿28000元并安装隔音窗;室内夜间不高于30分贝,不达标不验收。",
    }
]
EXPLANATION = """孙阿姨:您在两轮协商中都表示不同意,我们把您的四条理由逐条写进了纪要,没有删改。现就处理结果说明如下:
一是采光,井道已改到北侧,设计单位出具的日照对比报告附上,您可以另请第三方复核,费用由项目预备金承担;
二是噪声,合同约定室内夜间不高于30分贝,竣工后由检测机构到您家中实测,不达标不验收;
三是补偿和隔音窗已写入协议,款项先存入共管账户;
四是您担心的房屋价值问题,协商会上没有能够量化的办法,这一点我们没有解决好,如实记在少数意见里。
表决依法通过后项目将继续推进,但您保留意见的权利不受影响;如认为决定侵害了您的合法权益,可以在知道决定之日起一年内
请求人民法院撤销。联系人:陶颖。"""


async def play(stage: Stage) -> AsyncGenerator[datetime]:
    matter = Matter(stage, "D1")
    proposer, first_floor, neighbour = (matter.person(n) for n in ("何建军", "孙桂兰", "赵长根"))
    voters = {room: owner_of(f"{ENTRANCE}-{room}") for room in ROOMS}

    yield at("2026-03-11", "20:10")
    await matter.raise_topic(
        proposer,
        {
            "title": TITLE,
            "summary_plain": "六层十二户,老人多,想装电梯;一楼两户担心采光和噪声。",
            "problem": PROBLEM,
            "wish": WISH,
            "place": "桐荫苑3幢2单元",
            "affected": [LOW, HIGH],
            "open_to_cosign": True,
        },
        at=ENTRANCE,
    )
    yield at("2026-03-12", "19:00")
    await matter.cosign([voters[room] for room in ("402", "502", "602")])
    yield at("2026-03-16")
    await matter.accept(
        category="vital_interest_problem", layer="owners", matter_list="self_governance"
    )
    yield at("2026-03-18", "10:00")
    await _prepare(
        matter,
        "南侧井道方案与造价测算",
        "井道设于南侧,距101室南窗2.3米;总造价约58万元,政府补助20万元。",
        "2026-04-20",
    )
    yield at("2026-03-18", "16:00")
    await matter.announce(
        "关于3幢2单元加装电梯协商的公告",
        "就是否加装、位置、费用和补偿开展协商,欢迎本单元业主参加。",
    )

    yield at("2026-03-24", "09:30")
    await matter.must_be(State.DELIBERATING)
    meeting = await matter.convene(
        "heart_to_heart_meeting", "3幢2单元加装电梯民情恳谈会", at("2026-03-30", "19:00")
    )
    thread = await matter.thread("装不装、装在哪一侧、费用怎么分")
    yield at("2026-03-25", "20:00")
    await matter.post(
        thread,
        matter.person("钱素珍"),
        "for",
        "电梯是救命的路,不是享受。费用按楼层系数分,我愿意多出。",
    )
    await matter.post(
        thread,
        first_floor,
        "against",
        "电梯井离我家南窗只有两米多,采光本来就不好,还有运行的声音。我不出钱,可是损失是我家的,不能因为人少就不算数。",
    )
    await matter.post(
        thread,
        neighbour,
        "against",
        "门口成了候梯厅,进出都是人。我要求把基坑深度、隔音标准、今后维修谁出钱写进协议,再谈同意不同意。",
    )
    yield at("2026-03-30", "19:00")
    present = [proposer, first_floor, neighbour]
    await _hold(matter, meeting, present, matter.person("钱素珍"))
    yield at("2026-03-30", "20:40")
    await matter.rise(meeting)
    await matter.minutes(meeting, FIRST_MINUTES, [*present, matter.person("钱素珍")])
    await matter.publish_minutes(meeting)
    yield at("2026-04-01")
    await matter.close_deliberation()
    await matter.outcome(
        ITEMS[:1], "一层两户担心采光、噪声和候梯人流,不同意南侧井道方案。", IMPACTS
    )
    yield at("2026-04-02", "15:00")
    poll = await matter.poll(
        preset=PRESET,
        scope=ENTRANCE,
        question=QUESTION,
        items=[{"text": "同意按南侧井道方案加装电梯"}],
        opens=at("2026-04-18", "00:00"),
        closes=at("2026-04-25", "00:00"),
    )
    yield at("2026-04-20", "19:00")
    await matter.must_be(State.VOTING)
    against = dict.fromkeys((voters["101"], voters["102"]), "against")
    agree = {voters[room]: "for" for room in ROOMS[2:] if room != "202"}
    await matter.vote(poll, agree | against | {voters["202"]: "abstain"})
    hidden = await matter.supervisor.get(f"polls/{poll}")
    stage.expect("D1", "截止前监督委员会也看不到结果", hidden["result"], None)
    await matter.person("何建军").put(
        f"polls/{poll}/ballot", {"answers": [{"item": 1, "choices": ["against"]}]}, expect=409
    )
    matter.said("何建军想改投,数据库拒绝第二张票(409 already-voted)")

    yield at("2026-04-27", "10:00")
    result = await matter.sign(poll)
    heads, area = result["items"][0]["tallies"][0]["approval"]
    stage.expect(
        "D1", "同意 9/12 人", (heads["value"], heads["base"], heads["reached"]), (9, 12, True)
    )
    stage.expect(
        "D1",
        "同意面积 638.55/855.30 ㎡",
        (area["value"], area["base"], area["reached"]),
        (63855, 85530, False),
    )
    stage.expect("D1", "第一轮结论", result["verdict"], "not_passed")

    # ---- second round ---------------------------------------------------------------------
    yield at("2026-05-06", "10:00")
    await matter.secretary.post(
        f"topics/{matter.topic_id}/reconsultation",
        {
            "ground": "changed_plan",
            "reason": "面积未达到四分之三,设计单位提出北侧改移方案,值得再商量。",
            "changes": ["井道由南侧改至北侧楼梯间外", "增加一层两户的补偿和隔音窗"],
        },
    )
    matter.said("周文静决定再协商,列明改变了什么")
    yield at("2026-05-08")
    await _prepare(
        matter,
        "北侧改移方案与日照对比",
        "井道改至北侧,距一层最近外窗5.1米;附日照对比报告。",
        "2026-06-05",
    )
    yield at("2026-05-11", "16:00")
    await matter.announce(
        "关于3幢2单元加装电梯第二轮协商的公告", "就北侧改移方案和补偿办法再次协商。"
    )
    yield at("2026-05-17", "09:00")
    meeting = await matter.convene(
        "heart_to_heart_meeting", "3幢2单元加装电梯第二轮协商会", at("2026-05-23", "19:00")
    )
    yield at("2026-05-23", "19:00")
    await _hold(matter, meeting, present, matter.person("钱素珍"))
    yield at("2026-05-23", "20:45")
    await matter.rise(meeting)
    await matter.minutes(meeting, SECOND_MINUTES, [*present, matter.person("钱素珍")])
    await matter.publish_minutes(meeting)
    dissent = await matter.dissent(first_floor, "夜间噪声和房屋价值的担心没有解决,我不同意加装。")
    yield at("2026-05-25")
    await matter.close_deliberation()
    await matter.outcome(
        ITEMS,
        "一层一户不同意加装,理由是夜间噪声和房屋价值;噪声已约定实测标准,房屋价值没有能够量化的办法。",
        IMPACTS,
    )
    poll = await matter.poll(
        preset=PRESET,
        scope=ENTRANCE,
        question=QUESTION + "(第二轮)",
        items=[{"text": "同意按北侧改移方案加装电梯,并按公告办法补偿一层两户"}],
        opens=at("2026-06-10", "00:00"),
        closes=at("2026-06-17", "00:00"),
    )
    yield at("2026-06-12", "19:30")
    agree = {voters[room]: "for" for room in ROOMS[2:] if room not in (HELPED, VISITED)}
    await matter.vote(poll, agree | against)
    worker = matter.person("马立新", "grid_worker")
    second = matter.person("殷桂生", "supervisor")
    yield at("2026-06-13", "09:30")
    await help_at_office(matter, poll, voters[HELPED], "for", beside=worker)
    await print_paper(matter, poll, 2)
    yield at("2026-06-13", "15:00")
    await bring_to_door(matter, poll, 1, voters[VISITED], worker=worker, second=second)
    yield at("2026-06-13", "17:00")
    state = await read_twice(matter, poll, 1, ("for", "for"))
    stage.expect("D1", "1号票两人录入一致", state, "entered")
    yield at("2026-06-14", "20:00")
    await countersign(matter, poll, worker)
    yield at("2026-06-17", "10:00")
    await settle_unused(matter, poll, 2, 2)
    await cannot_sign_yet(matter, poll, "home_visit 1")
    await countersign(matter, poll, second)
    result = await matter.sign(poll)
    agreed = result["items"][0]["tallies"][0]["votes"]
    stage.expect("D1", "第二轮同意", (agreed["heads"], agreed["area_dm2"]), (10, 71275))
    stage.expect("D1", "第二轮结论", result["verdict"], "passed")
    channels = {"electronic": 10, "assisted": 1, "home_visit": 1}
    await adds_up(matter, poll, channels, countersigned=2)

    yield at("2026-06-29", "15:00")
    await matter.must_be(State.ADOPTION_PENDING)
    reason = "表决依法通过,公示期满,予以采纳,由社区协助业主办理手续,每月5日前公布进度。"
    await matter.adopt(dict.fromkeys((1, 2, 3), ("adopted", reason)))
    await matter.must_be(State.ADOPTED)
    await matter.explain(dissent, EXPLANATION, channel="home_visit")
    yield at("2026-07-01", "20:00")
    await matter.answer(dissent, first_floor, "maintained")
    yield at("2026-07-03", "10:00")
    await matter.use_parts(
        {f"{ENTRANCE}-201": "二层北侧次卧外墙开设候梯厅门洞,宽1.2米,由出资户负责恢复装修。"}
    )
    yield at("2026-07-06", "10:00")
    task = await matter.task(
        "北侧电梯建设与验收",
        responsible="wutongli-committee",
        due="2026-12-31",
        item_number=1,
        category="coordination",
        budget_fen=58_000_000,
        funding_source="业主自筹38万元,政府补助20万元",
        milestones=[
            {"title": "签订协议,补偿款存入共管账户", "due_on": "2026-07-31"},
            {"title": "基坑和井道施工", "due_on": "2026-10-31"},
            {"title": "安装调试、噪声实测、监督检验", "due_on": "2026-12-20"},
        ],
    )
    for number, title in ((2, "补偿款和隔音窗落实"), (3, "共管账户设立和公布")):
        await matter.task(
            title,
            responsible="wutongli-committee",
            due="2026-12-31",
            item_number=number,
            category="coordination",
            funding_source="出资业主",
        )
    await matter.parts_agree()
    await matter.implement(
        "由业主委托施工单位建设,社区居民委员会协助办理手续,网格员马立新联络,每月5日前公布进度。"
    )
    await matter.must_be(State.IMPLEMENTING)
    yield at("2026-08-05")
    await matter.progress(task, "协议已由十户出资业主签订,一层两户补偿款56000元已存入共管账户。")
    await matter.clerk.put(f"tasks/{task}/milestones/1/completion", {"note": "共管账户凭证已公布"})
    await matter.spend(task, 56_000, "一层两户补偿款", "2026-08-03")
    yield at("2026-10-08")
    await matter.progress(task, "基坑完成,井道钢结构安装到四层;因地下管线改移,工期顺延一周。")
    await matter.spend(task, 210_000, "基坑与井道工程款(第一期)", "2026-10-06")


async def _prepare(matter: Matter, material: str, body: str, ends: str) -> None:
    await matter.prepare(
        groups={LOW: True, HIGH: True},
        forms={"heart_to_heart_meeting": True, "online_deliberation": False},
        ends=ends,
        text="先公告方案和材料,再开恳谈会听取每户意见,形成协商成果后由本单元业主按人数和面积表决。",
        preset=PRESET,
        material=(material, body),
    )


async def _hold(matter: Matter, meeting: str, low_first: list[Person], high: Person) -> None:
    proposer, *low = low_first
    await matter.attend(meeting, LOW, low)
    await matter.attend(meeting, HIGH, [proposer, high])
    await matter.sit(meeting)
