"""D6 社区助餐点: commissioned by the subdistrict (Track B); consensus without a ballot; the reply
comes late, item by item, with one item adopted in part and one not."""

from collections.abc import AsyncGenerator
from datetime import datetime

from api.demo.matter import Matter
from api.demo.stage import Stage, at
from consultation.topics.states import State

OLD, FAMILIES = "七十岁以上老人", "老人家属"
LETTER = {
    "title": "关于老年人助餐点协商的委托函",
    "question": "柳叶街道办事处拟在梧桐里社区设老年人助餐点1处,委托社区就选址、餐标、补贴对象、运营单位产生方式组织协商。",
    "freedom": "可协商范围:以上四项;不可协商:财政补贴总额每年18万元、食品安全标准。我办收到后20个工作日内逐条答复。",
    "reply_by": "2026-06-20",
}
ITEMS = [
    "选址在党群服务中心一楼西侧。",
    "午餐标准12元、15元两档。",
    "70岁以上补贴3元,独居、残疾老人补贴5元。",
    "供应晚餐。",
    "运营单位由居民代表参与评审(5名评委中居民代表2名)。",
]
REPLIES = {
    1: ("adopted", "采纳。场地由党群服务中心腾出,装修费用列入年度预算。"),
    2: ("adopted", "采纳。按12元、15元两档公示菜单。"),
    3: (
        "partially_adopted",
        "部分采纳:独居老人补贴提高至5元;残疾老人按现行护理补贴政策执行,不重复补贴,政策依据附后。",
    ),
    4: (
        "not_adopted",
        "暂不采纳:首年测算日均需求不足20份,成本无法覆盖;运营满半年后依据数据重新评估,时间定为2027年1月。",
    ),
    5: ("adopted", "采纳。评审办法公示后执行。"),
}
MINUTES = {
    "summary": "时间:2026年5月24日9:00;地点:党群服务中心二楼议事室。街道民政办通报委托事项和可协商范围,老人和家属"
    "代表逐项发表意见。",
    "points_for": ["早就盼着有个吃饭的地方。", "15元这一档希望有两荤。"],
    "points_against": ["担心只有午餐,独居老人晚上还是没有着落。"],
    "agreed": ["选址、午餐两档、补贴对象、评审方式。"],
    "disagreed": ["晚餐是否供应,街道需要测算。"],
    "next_steps": ["形成意见报街道,由街道逐条答复。"],
}


async def play(stage: Stage) -> AsyncGenerator[datetime]:
    matter = Matter(stage, "D6")
    official = matter.person("林栋", "government")
    elder, family = matter.person("钱素珍"), matter.person("吴晓曼")

    yield at("2026-05-06", "09:20")
    await matter.raise_topic(
        official,
        {
            "title": "社区助餐点设置与运营方式",
            "summary_plain": "街道委托社区商量老年人助餐点:放哪里、多少钱、补贴谁、谁来办。",
            "problem": "社区七十岁以上老人多,午饭没有着落,街道拟设助餐点。",
            "wish": "就选址、餐标、补贴对象、运营单位产生方式提出意见。",
            "place": "梧桐里社区",
            "affected": [OLD, FAMILIES],
        },
        at="wutongli",
        letter=LETTER,
    )
    yield at("2026-05-08")
    await matter.accept(
        category="public_interest_decision",
        layer="consultation",
        matter_list="assist_government",
        track="commissioned",
        commissioning_org_id=await matter.org("liuye-office"),
    )
    yield at("2026-05-11", "10:00")
    await matter.prepare(
        groups={OLD: True, FAMILIES: True},
        forms={"heart_to_heart_meeting": True, "online_deliberation": False},
        ends="2026-06-05",
        text="召开恳谈会听取老人和家属意见,形成共识后报街道逐条答复,不安排表决。",
        material=("助餐点测算", "备选场地、餐标、补贴标准和日均需求测算表。"),
    )
    await matter.announce(
        "关于社区助餐点协商的公告", "受柳叶街道办事处委托,就助餐点的四个问题开展协商。"
    )
    yield at("2026-05-17", "09:00")
    meeting = await matter.convene(
        "heart_to_heart_meeting", "助餐点民情恳谈会", at("2026-05-24", "09:00")
    )
    yield at("2026-05-24", "09:00")
    await matter.attend(meeting, OLD, [elder])
    await matter.attend(meeting, FAMILIES, [family])
    await matter.sit(meeting)
    yield at("2026-05-24", "10:50")
    await matter.rise(meeting)
    await matter.minutes(meeting, MINUTES, [elder, family])
    await matter.publish_minutes(meeting)
    dissent = await matter.dissent(elder, "我一个人住,晚上也需要一顿热饭,只办午餐不够。")
    yield at("2026-05-30")
    await matter.close_deliberation()
    await matter.outcome(ITEMS, "独居老人要求供应晚餐;街道测算尚未完成,意见如实上报。")
    yield at("2026-05-31", "09:00")
    await matter.secretary.put(matter.url("/consensus"))
    matter.said("周文静宣布形成共识,三日内可以提出不同意见")
    yield at("2026-06-04", "09:00")
    await matter.secretary.put(matter.url("/consensus/conclusion"))
    await matter.must_be(State.OUTCOME_PUBLIC)

    yield at("2026-06-12", "09:00")
    await matter.must_be(State.ADOPTION_PENDING)
    topic = await matter.look()
    stage.expect("D6", "街道答复期限(20个工作日,遇端午顺延)", topic["due_at"][:10], "2026-07-13")
    yield at("2026-07-14", "09:00")
    late = await matter.look()
    stage.expect("D6", "逾期未答复,公开标注超期", late["overdue_since"] is not None, True)
    yield at("2026-07-15", "15:00")
    await matter.reply(official, REPLIES)
    await matter.sign_adoption(official)
    matter.said("柳叶街道办事处签署逐条答复")
    await matter.must_be(State.PARTIALLY_ADOPTED)
    await matter.explain(
        dissent,
        "晚餐暂不供应的理由和重新评估的时间已经公布;这期间由网格员每天联系独居老人,需要送餐的先由志愿者解决。",
        channel="phone",
    )
    await matter.answer(dissent, elder, "maintained")
    yield at("2026-07-20")
    works = {
        1: ("腾出场地并装修", "works"),
        2: ("公示菜单和价格", "publicity"),
        3: ("落实补贴名单", "assist_government"),
        5: ("组织运营单位评审", "purchase"),
    }
    tasks = [
        await matter.task(
            title,
            responsible="liuye-office" if number != 2 else "wutongli-committee",
            due="2026-09-30",
            item_number=number,
            category=category,
            funding_source="街道财政补贴",
        )
        for number, (title, category) in works.items()
    ]
    await matter.implement("街道办事处为责任单位,社区居民委员会协助公示;九月底前开餐。")
    yield at("2026-09-25", "10:00")
    for task in tasks:
        await matter.finish(task, "完成。", resident=elder)
    await matter.report("助餐点9月21日开餐,评审结果、菜单和补贴办法已公示。")
    await matter.must_be(State.FEEDBACK)
