"""D9 要求居委会强拆顶楼违建: rejected by two persons, appealed, upheld, transferred to enforcement."""

from collections.abc import AsyncGenerator
from datetime import datetime

from api.demo.matter import Matter
from api.demo.stage import Stage, at
from api.demo.voters import spokespeople
from consultation.topics.states import State

REASON = (
    "您反映的顶楼违建问题属实需要核查,但查处违法建设是行政机关的法定职责,居民委员会不能作为责任主体,也不能组织强制"
    "拆除,因此不作为社区自行实施事项受理。其间因漏水引起的邻里纠纷,可申请人民调解。"
)


async def play(stage: Stage) -> AsyncGenerator[datetime]:
    matter = Matter(stage, "D9")
    author = stage.people.by_phone(spokespeople("荷塘月色")[300], "荷塘月色住户")
    enforcer = matter.person("高翔", "government")

    yield at("2026-08-04", "21:00")
    await matter.raise_topic(
        author,
        {
            "title": "要求居委会强拆顶楼违建",
            "problem": "楼上顶楼私搭阳光房,下雨漏到我家。",
            "wish": "请居委会组织强制拆除。",
            "place": "荷塘月色5幢",
            "affected": ["同单元住户"],
        },
        at="荷塘月色-5",
    )
    yield at("2026-08-06")
    await matter.clerk.post(
        matter.url("/rejection-proposal"), {"reason_code": "outside_scope", "reason": REASON}
    )
    matter.said("陶颖提出不予受理,写明理由")
    await matter.secretary.post(matter.url("/rejection"), {})
    matter.said("周文静复核确认,告知申诉途径")
    await matter.must_be(State.REJECTED)
    yield at("2026-08-10", "20:00")
    await author.post(
        matter.url("/appeal"), {"reason": "漏水是事实,社区至少应当帮我找到该管的部门。"}
    )
    matter.said("提议人在15日内提出申诉")
    yield at("2026-08-13", "10:00")
    await matter.supervisor.post(
        matter.url("/appeal-decision"),
        {"upheld": True, "opinion": "诉求不能由居委会实施,但应当转有权部门办理,不应只作不予受理。"},
    )
    matter.said("监督委员会支持申诉,退回重新审查")
    yield at("2026-08-14", "09:00")
    sent = await matter.secretary.post(
        matter.url("/transfers"),
        {
            "receiver_org_id": await matter.org("enforcement"),
            "reason": "查处违法建设属于区综合行政执法局职责。",
        },
    )
    matter.said("转区综合行政执法局办理")
    yield at("2026-08-14", "15:00")
    await enforcer.post(f"transfers/{sent['id']}/receipt", {"ticket": "青执转2026-081"})
    yield at("2026-08-20", "16:00")
    await enforcer.post(
        f"transfers/{sent['id']}/answer",
        {"answer": "已现场核查,属未经许可搭建,已立案并送达责令改正通知书,限30日内自行拆除。"},
    )
    await matter.must_be(State.TRANSFERRED)
