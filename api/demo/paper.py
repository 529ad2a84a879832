"""Paper forms in the stories: printed, handed to voters, read by two tellers, and settled."""

import hashlib

from api.demo.matter import Matter
from api.demo.people import Person


def sha(text: str) -> str:
    """Stands for the hash of a scan, which stays with who made it."""
    return hashlib.sha256(text.encode()).hexdigest()


async def number_of(matter: Matter, poll: str, phone: str) -> int:
    """Somebody's place on the roll."""
    voter = matter.stage.people.by_phone(phone)
    return (await voter.get(f"polls/{poll}/eligibility"))["number"]


async def print_paper(matter: Matter, poll: str, count: int) -> None:
    await matter.clerk.put(f"polls/{poll}/paper-blocks/1", {"last": count})
    matter.said(f"印制纸质表决票 {count} 张,逐张编号")


async def hand_out(matter: Matter, poll: str, form: int, phone: str) -> None:
    """At the office, against a signature."""
    number = await number_of(matter, poll, phone)
    await matter.clerk.put(
        f"polls/{poll}/paper-forms/{form}/issue",
        {"number": number, "signature_sha256": sha(f"签收 {form}")},
    )


async def bring_to_door(
    matter: Matter, poll: str, form: int, phone: str, *, worker: Person, second: Person
) -> None:
    """The box comes to the voter's home with two members of staff."""
    number = await number_of(matter, poll, phone)
    await worker.put(
        f"polls/{poll}/paper-forms/{form}/issue",
        {
            "number": number,
            "signature_sha256": sha(f"签收 {form}"),
            "second_staff_id": await matter.stage.people.id_of(second),
        },
    )
    matter.said(f"{worker.name}、{second.name}带票箱上门,名册第{number}号在家填写{form}号票")


async def read_twice(matter: Matter, poll: str, form: int, readings: tuple[str, str]) -> str:
    """Two tellers enter a form without seeing one another's entry."""
    state = ""
    for teller, choice in zip(matter.tellers, readings, strict=True):
        answer = await teller.put(
            f"polls/{poll}/paper-forms/{form}/entry",
            {
                "answers": [{"item": 1, "choices": [choice]}],
                "scans": [sha(f"扫描 {poll} {form} {teller.name}")],
            },
        )
        state = answer["state"]
    return state


async def settle_unused(matter: Matter, poll: str, first: int, last: int) -> None:
    await matter.clerk.put(
        f"polls/{poll}/paper-fates",
        {"settlements": [{"first": first, "last": last, "fate": "unused"}]},
    )
    matter.said(f"没有发出的纸质票 {last - first + 1} 张逐张登记去向")
