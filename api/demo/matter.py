"""One topic on its way: what its people do, step by step, over the public API.

A story tells when; a ``Matter`` knows how. Each method is one deed of a person, or a few that
belong together, and says what it did.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from api.demo.people import Person
from api.demo.stage import Stage
from consultation.topics.states import State

SHARED_DECISION = "社区“两委”联席会议"


@dataclass(frozen=True, slots=True)
class Office:
    """Who holds which office in a community: names as in the registers."""

    code: str
    secretary: str
    head: str
    clerk: str
    host: str
    tellers: tuple[str, str]
    supervisor: str
    other_tellers: tuple[str, ...] = ()  # who count again when a result is close


WUTONGLI = Office(
    "wutongli",
    "周文静",
    "许国平",
    "陶颖",
    "俞敏之",
    ("钱明远", "郑小芳"),
    "陈巧云",
    ("戴玉芬", "倪卫东"),
)
LIUQIAO = Office("liuqiao", "柳长青", "蒋春山", "顾小满", "蒋春山", ("费学农", "尤水英"), "史怀玉")


@dataclass
class Matter:
    stage: Stage
    story: str
    office: Office = WUTONGLI
    topic_id: str = ""
    items: list[dict[str, Any]] = field(default_factory=list)

    # ---- who ------------------------------------------------------------------------------

    def person(self, name: str, role: str | None = None) -> Person:
        return self.stage.people.one(name, role)

    @property
    def secretary(self) -> Person:
        return self.person(self.office.secretary, "party_secretary")

    @property
    def head(self) -> Person:
        return self.person(self.office.head, "committee_head")

    @property
    def clerk(self) -> Person:
        return self.person(self.office.clerk, "clerk")

    @property
    def host(self) -> Person:
        return self.person(self.office.host, "host")

    @property
    def tellers(self) -> list[Person]:
        return [self.person(name, "teller") for name in self.office.tellers]

    @property
    def supervisor(self) -> Person:
        return self.person(self.office.supervisor, "supervisor")

    async def place(self, code: str) -> str:
        return await self.stage.places.node(self.office.code, code)

    async def org(self, code: str) -> str:
        return await self.stage.places.organisation(self.office.code, code)

    def said(self, text: str) -> None:
        self.stage.step(self.story, text)

    def url(self, rest: str = "") -> str:
        return f"topics/{self.topic_id}{rest}"

    async def look(self) -> Any:
        return await self.clerk.get(self.url())

    async def must_be(self, state: State) -> None:
        topic = await self.look()
        self.stage.expect(self.story, "议题状态", topic["state"], state.value)

    # ---- raising and screening ------------------------------------------------------------

    async def raise_topic(
        self, author: Person, proposal: dict[str, Any], *, at: str, **more: Any
    ) -> None:
        """Draft and submit; ``at`` is the code of the place where the matter lies."""
        community = await self.place(self.office.code)
        draft = await author.post(
            f"communities/{community}/topics",
            {"node_id": await self.place(at), "proposal": proposal, **more},
        )
        self.topic_id = draft["id"]
        self.stage.notes[self.story] = self.topic_id
        await self.stage.watch(self.office.code, self.topic_id)
        await author.post(self.url("/submission"), {})
        self.said(f"{author.name}提交议题“{proposal['title']}”")

    async def cosign(self, phones: Iterable[str]) -> None:
        count = 0
        for phone in phones:
            await self.stage.people.by_phone(phone).put(self.url("/cosignature"))
            count += 1
        self.said(f"{count} 位居民附议")

    async def accept(
        self, *, category: str, layer: str, matter_list: str, track: str = "community", **more: Any
    ) -> None:
        classification = {
            "category": category,
            "layer": layer,
            "track": track,
            "matter_list": matter_list,
        }
        await self.secretary.post(
            self.url("/acceptance"),
            {
                "classification": classification | more,
                "note": {
                    "title": "受理告知",
                    "body": "经审查,该事项属于协商范围,由社区党组织牵头组织协商。",
                },
            },
        )
        self.said(f"{self.office.secretary}(牵头组织)受理,列入协商目录")

    # ---- preparing ------------------------------------------------------------------------

    async def prepare(
        self,
        *,
        groups: Mapping[str, bool],
        forms: Mapping[str, bool],
        ends: str,
        text: str,
        preset: str | None = None,
        material: tuple[str, str],
        venue: str = "社区党群服务中心二楼议事室",
    ) -> None:
        """``groups`` and ``forms`` by name: whether directly affected, whether required."""
        await self.clerk.post(self.url("/preparation"))
        await self.clerk.post(
            self.url("/documents"), {"kind": "material", "title": material[0], "body": material[1]}
        )
        officers = [self.host, *self.tellers]
        for officer in officers:
            await officer.put(self.url("/interest"), {"has_interest": False})
        ids = [await self.stage.people.id_of(officer) for officer in officers]
        await self.clerk.put(
            self.url("/plan"),
            {
                "groups": [{"name": name, "affected": hit} for name, hit in groups.items()],
                "forms": [{"form": form, "required": must} for form, must in forms.items()],
                "poll_preset": preset,
                "host_ids": ids[:1],
                "teller_ids": ids[1:],
                "venue": venue,
                "deliberation_ends": ends,
                "text": text,
            },
        )
        await self.clerk.put(
            self.url("/plan/legality"),
            {"lawful": True, "opinion": "事项、程序和表决规则合法,可以公告。"},
        )
        self.said(f"{self.office.clerk}编制协商方案,主持人、计票人申报无利益关系,合法性审查通过")

    async def announce(self, title: str, body: str) -> None:
        await self.secretary.post(
            self.url("/announcement"), {"notice": {"title": title, "body": body}}
        )
        self.said(f"{self.office.secretary}发布公告“{title}”,方案冻结,公告期开始")

    # ---- deliberating ---------------------------------------------------------------------

    async def thread(self, title: str) -> str:
        opened = await self.clerk.post(self.url("/threads"), {"title": title})
        self.said(f"{self.office.clerk}开设讨论“{title}”")
        return opened["id"]

    async def post(self, thread: str, who: Person, stance: str, body: str, **more: Any) -> str:
        added = await who.post(f"threads/{thread}/posts", {"stance": stance, "body": body, **more})
        self.said(f"{who.name or '居民'}发言({stance}):{body[:22]}…")
        return added["id"]

    async def convene(
        self, form: str, title: str, starts_at: datetime, *, place: str = "", **more: Any
    ) -> str:
        meeting = await self.clerk.post(
            self.url("/meetings"),
            {
                "form": form,
                "title": title,
                "place": place or "社区党群服务中心二楼议事室",
                "starts_at": starts_at.isoformat(),
                "host_id": await self.stage.people.id_of(self.host),
                "recorder_id": await self.stage.people.id_of(self.clerk),
                **more,
            },
        )
        self.said(f"{self.office.clerk}召集“{title}”,会议公告发布")
        return meeting["id"]

    async def attend(
        self, meeting: str, group: str, people: Iterable[Person], *, mode: str = "on_site"
    ) -> None:
        """The recorder enters the sign-in sheet."""
        for someone in people:
            person_id = await self.stage.people.id_of(someone)
            await self.clerk.put(
                f"meetings/{meeting}/attendance/{person_id}", {"group": group, "mode": mode}
            )

    async def absent(self, meeting: str, group: str, note: str) -> None:
        await self.clerk.put(f"meetings/{meeting}/absence", {"group": group, "note": note})

    async def sit(self, meeting: str) -> None:
        await self.host.put(f"meetings/{meeting}/opening")
        self.said(f"{self.office.host}主持开会")

    async def rise(self, meeting: str) -> None:
        await self.host.put(f"meetings/{meeting}/closing")

    async def minutes(
        self, meeting: str, content: dict[str, Any], confirm: Iterable[Person]
    ) -> None:
        written = await self.clerk.post(f"meetings/{meeting}/minutes", content)
        for someone in confirm:
            await someone.put(
                f"meetings/{meeting}/minutes/{written['version']}/answer", {"confirmed": True}
            )
        self.said(f"{self.office.clerk}起草协商纪要,到会人员逐一确认")

    async def publish_minutes(self, meeting: str) -> None:
        await self.clerk.put(f"meetings/{meeting}/publication")
        self.said("协商纪要经确认后公布")

    async def close_deliberation(self) -> None:
        await self.host.post(self.url("/deliberation/close"), {})
        self.said(f"{self.office.host}宣布讨论结束,开始形成协商意见")

    async def outcome(
        self, items: Sequence[str], minority: str, impacts: Sequence[dict[str, str]] = ()
    ) -> None:
        written = await self.clerk.post(
            self.url("/outcome"),
            {"items": list(items), "minority_view": minority, "adverse_impacts": list(impacts)},
        )
        self.items = written["items"]
        self.said(f"{self.office.clerk}起草协商成果 {len(items)} 条,写明少数意见")

    async def revise_minority(self, view: str, reason: str) -> None:
        await self.clerk.post(
            self.url("/outcome/revisions"), {"reason": reason, "minority_view": view}
        )
        self.said("少数意见补充完整")

    # ---- voting ---------------------------------------------------------------------------

    async def poll(
        self,
        *,
        preset: str,
        scope: str,
        question: str,
        items: Sequence[dict[str, Any]],
        opens: datetime,
        closes: datetime,
        **more: Any,
    ) -> str:
        """The clerk drafts, the party secretary announces: two people."""
        drafted = await self.clerk.put(
            self.url("/poll"),
            {
                "preset": preset,
                "scope_node_id": await self.place(scope),
                "question": question,
                "items": list(items),
                "opens_at": opens.isoformat(),
                "closes_at": closes.isoformat(),
                **more,
            },
        )
        poll = drafted["id"]
        checked = bool(drafted["warnings"])  # compared with the law, where the rule asks for it
        announced = await self.secretary.put(
            f"polls/{poll}/announcement", {"confirm_preset": checked}
        )
        heads = announced["eligible"]["heads"]
        self.said(f"公告表决事项,名册冻结:应参与 {heads} 人(户)")
        self.stage.notes[f"{self.story} poll"] = poll
        return poll

    async def vote(self, poll: str, votes: Mapping[str, str]) -> None:
        """Phone to choice on a poll of one item."""
        crowd = self.stage.people.crowd
        if crowd is not None:
            await crowd.cast(poll, votes)
        else:
            for phone, choice in votes.items():
                await self.stage.people.by_phone(phone).put(
                    f"polls/{poll}/ballot", {"answers": [{"item": 1, "choices": [choice]}]}
                )
        self.said(f"{len(votes)} 人(户)在手机上投票")

    async def sign(self, poll: str) -> Any:
        """Two tellers sign, the supervisor witnesses; with that the result is published, or once
        two other tellers have signed if it is close."""
        counted = await self.tellers[0].get(f"polls/{poll}")
        signed: Any = None
        for signer in (*self.tellers, self.supervisor):
            signed = await signer.put(
                f"polls/{poll}/signature", {"result_digest": counted["result_digest"]}
            )
        self.said("两名计票人签字、监督委员会见证")
        if signed["state"] != "published":
            self.said("票数接近,由另外两名计票人复核")
            for name in self.office.other_tellers:
                signed = await self.person(name, "teller").put(
                    f"polls/{poll}/signature", {"result_digest": counted["result_digest"]}
                )
        self.stage.expect(self.story, "签字后", signed["state"], "published")
        for sentence in signed["wording"]:
            self.said(f"“{sentence}”")
        return signed["result"]

    # ---- adopting, doing, answering -------------------------------------------------------

    async def reply(self, who: Person, replies: Mapping[int, tuple[str, str]]) -> None:
        for number, (decision, reason) in replies.items():
            body: dict[str, Any] = {"decision": decision, "reason": reason}
            await who.post(self.url(f"/outcome/items/{number}/replies"), body)
        self.said(f"{who.name}逐条答复 {len(replies)} 项")

    async def adopt(self, replies: Mapping[int, tuple[str, str]]) -> None:
        """Both committees sign the same replies."""
        await self.reply(self.secretary, replies)
        for side in (self.secretary, self.head):
            await self.sign_adoption(side)
        self.said(f"{SHARED_DECISION}双方签署采纳决定")

    async def sign_adoption(self, who: Person) -> None:
        seen = await who.get(self.url("/adoption"))
        await who.put(self.url("/adoption/signature"), {"replies_digest": seen["replies_digest"]})

    async def task(self, title: str, *, responsible: str, due: str, **more: Any) -> str:
        planned = await self.clerk.post(
            self.url("/tasks"),
            {
                "title": title,
                "responsible_org_id": await self.org(responsible),
                "due_on": due,
                "category": "works",
                **more,
            },
        )
        self.said(f"落实事项“{title}”,限期 {due}")
        return planned["id"]

    async def use_parts(self, uses: dict[str, str]) -> None:
        """Exclusive parts that the work will use, by code of the unit, and how."""
        wanted = [{"code": code, "use": use} for code, use in uses.items()]
        await self.clerk.put(self.url("/used-parts"), {"parts": wanted})
        self.said(f"施工将占用 {len(wanted)} 处专有部分,已征求其业主同意")

    async def parts_agree(self) -> None:
        """Every owner of a used part signs; before that, work does not begin."""
        await self.clerk.post(self.url("/implementation"), {"text": "开工"}, expect=409)
        self.said("业主未书面同意占用,不能开工(409 gate-not-met)")
        for part in (await self.clerk.get(self.url("/used-parts")))["parts"]:
            for owner in part["owners"]:
                scan = hashlib.sha256(f"{part['code']}{owner['id']}".encode()).hexdigest()
                await self.clerk.put(
                    self.url(f"/used-parts/{part['unit_id']}/consents/{owner['id']}"),
                    {"agrees": True, "digest": part["digest"], "scan_sha256": scan},
                )
        self.said("业主书面同意占用,扫描件哈希已登记")

    async def implement(self, text: str) -> None:
        await self.clerk.post(self.url("/implementation"), {"text": text})
        self.said("实施计划公布,开始实施")

    async def progress(self, task: str, text: str, *, who: Person | None = None) -> None:
        await (who or self.clerk).post(f"tasks/{task}/progress", {"text": text})
        self.said(f"进度:{text[:28]}")

    async def spend(self, task: str, yuan: float, purpose: str, on: str) -> None:
        await self.clerk.post(
            f"tasks/{task}/spending",
            {"kind": "paid", "amount_fen": round(yuan * 100), "purpose": purpose, "on": on},
        )
        self.said(f"支出公布:{purpose} {yuan:,.0f} 元")

    async def finish(self, task: str, note: str, *, resident: Person) -> None:
        """Done, accepted by the convener and by a resident."""
        await self.clerk.post(f"tasks/{task}/done", {"note": note})
        for judge in (self.secretary, resident):
            await judge.put(f"tasks/{task}/acceptance")
        self.said(f"完工,牵头组织与居民{resident.name}共同验收")

    async def report(self, text: str) -> None:
        await self.secretary.post(self.url("/completion"), {"text": text})
        self.said("完工验收记录公布,转入反馈")

    async def feedback(self, body: str, *, posted: str, place: str) -> None:
        notice = await self.clerk.post(self.url("/feedback-notice"), {"body": body})
        photo = hashlib.sha256(f"{self.story} {place} {posted}".encode()).hexdigest()
        await self.clerk.post(
            f"documents/{notice['id']}/postings",
            {"place": place, "posted_on": posted, "photo_sha256": photo},
        )
        self.said(f"反馈公告线上发布,并张贴于{place}")

    async def dissent(self, who: Person, view: str) -> str:
        recorded = await who.post(self.url("/dissent"), {"view": view})
        self.said(f"{who.name}的不同意见如实记录")
        return recorded["id"]

    async def explain(self, dissent: str, text: str, *, channel: str, reached: bool = True) -> None:
        await self.clerk.post(
            f"dissent/{dissent}/explanations",
            {"channel": channel, "text": text, "reached": reached},
        )
        self.said("向持不同意见者逐条解释说明" if reached else "联系未果,记录在案")

    async def answer(self, dissent: str, who: Person, reply: str) -> None:
        await who.put(f"dissent/{dissent}/reply", {"reply": reply})
        self.said(f"{who.name}答复:{'已了解' if reply == 'understood' else '保留不同意见'}")
