"""What happens around D5 beside the phones: an objection to the roll, a home that changes hands too
late, a paper form that two people read differently, a vote on paper and on the phone, and a mandate
that its principal takes over."""

import csv
import io

from api.demo.matter import Matter
from api.demo.paper import hand_out, number_of, read_twice, sha
from api.demo.registers import rows
from api.registers import take_register
from consultation.community.registers import RegisterKind


async def object_to_roll(matter: Matter, poll: str, *, seller: str, buyer: str) -> str:
    """The buyer of a home finds the seller on the roll; returns the objection."""
    number = await number_of(matter, poll, seller)
    filed = await matter.person(buyer).put(
        f"polls/{poll}/roll/{number}/objection",
        {"kind": "wrong_voter", "ground": "该房屋已于公告前过户给我,名册仍登记原业主。"},
    )
    matter.said(f"名册第{number}号有人提出异议,三个工作日内处理")
    return filed["id"]


async def uphold(
    matter: Matter, poll: str, objection: str, estate: str, *, seller: str, buyer: str
) -> None:
    """The register follows the deed; the clerk proposes, the supervisor confirms. Heads and area
    stay what they are."""
    people = matter.stage.people
    await register_sale(matter, estate, seller=seller, buyer=buyer)
    number = await number_of(matter, poll, seller)
    voter = await people.id_of(matter.person(buyer))
    proposed = await matter.clerk.put(
        f"roll-objections/{objection}/ruling",
        {
            "decision": "upheld",
            "correction": {"kind": "set_voter", "number": number, "person_id": voter},
            "reason": "不动产登记信息核对无误。",
        },
    )
    await matter.supervisor.put(
        f"roll-objections/{objection}/confirmation", {"version": proposed["version"]}
    )
    seen = await matter.clerk.get(f"polls/{poll}")
    eligible = seen["eligible"]
    matter.stage.expect(
        "D5", "异议成立,名册更正为第2版", (eligible["heads"], eligible["area_dm2"]), (489, 5821120)
    )
    gone = await people.by_phone(seller).get(f"polls/{poll}/eligibility")
    matter.stage.expect("D5", "原业主不再列入", gone["on_roll"], False)


async def change_hands(matter: Matter, estate: str, *, seller: str, buyer: str) -> None:
    """A home changes hands after the snapshot: the register says so, the roll stays as it is."""
    changed = await register_sale(matter, estate, seller=seller, buyer=buyer)
    matter.said(f"名册冻结后有一套房屋过户,登记册更新 {changed} 处,名册不变")


async def register_sale(matter: Matter, estate: str, *, seller: str, buyer: str) -> int:
    """A home in the register of units, from its seller to its buyer; how many rows changed."""
    row = next(
        dict(unit)
        for unit in rows(matter.office.code, RegisterKind.UNITS)
        if unit["estate_code"] == estate and unit["owner_phones"] == seller
    )
    owner = next(
        unit
        for unit in rows(matter.office.code, RegisterKind.UNITS)
        if unit["owner_phones"] == matter.stage.people.phones[buyer]
    )
    row |= {name: owner[name] for name in row if name.startswith("owner_")}
    row["named_voter"] = ""
    sheet = io.StringIO()
    writer = csv.DictWriter(sheet, fieldnames=list(row))
    writer.writeheader()
    writer.writerow(row)
    report = await take_register(
        matter.stage.services.db,
        RegisterKind.UNITS,
        sheet.getvalue().encode(),
        community_code=matter.office.code,
    )
    return report.changed


async def paper_in_doubt(matter: Matter, poll: str, phone: str) -> None:
    """The digits differ; the clerk decides with both scans before them."""
    await hand_out(matter, poll, 1, phone)
    state = await read_twice(matter, poll, 1, ("for", "against"))
    matter.stage.expect("D5", "1号票两人录入不一致", state, "disputed")
    scans = (await matter.clerk.get(f"polls/{poll}/paper-forms", limit=1))["items"][0]["scans"]
    settled = await matter.clerk.put(
        f"polls/{poll}/paper-forms/1/entry",
        {"answers": [{"item": 1, "choices": ["for"]}], "scans": scans},
    )
    matter.stage.expect("D5", "第三人核对两份扫描件后入账", settled["state"], "entered")


async def paper_and_phone(matter: Matter, poll: str, phone: str) -> None:
    """Who voted on the phone hands in a form too: it is recorded and set aside."""
    await hand_out(matter, poll, 2, phone)
    state = await read_twice(matter, poll, 2, ("against", "against"))
    matter.stage.expect("D5", "2号票入账", state, "entered")


async def mandate(matter: Matter, poll: str, phone: str, *, holder: str, until: str) -> None:
    """A written mandate; the holder votes as it says."""
    number = await number_of(matter, poll, phone)
    answers = [{"item": 1, "choices": ["for"]}]
    await matter.clerk.put(
        f"polls/{poll}/roll/{number}/mandate",
        {
            "holder_phone": matter.stage.people.phones[holder],
            "relation": "other",
            "document_sha256": sha(f"委托书 {number}"),
            "instruction": answers,
            "valid_until": until,
        },
    )
    await matter.person(holder).put(
        f"polls/{poll}/roll/{number}/mandate/ballot", {"answers": answers}
    )
    matter.said(f"名册第{number}号书面委托{holder}投票,受托人按委托意见投票")


async def check_ledger(matter: Matter, poll: str) -> None:
    """What the tellers see of it while the poll runs: what went out, and nothing of what came."""
    seen = await matter.tellers[0].get(f"polls/{poll}/reconciliation")
    matter.stage.expect("D5", "纸质票印制、发出", (seen["printed"], seen["issued"]), (60, 2))
    matter.stage.expect("D5", "截止前不显示各渠道收票数", "channels" in seen, False)
