"""Acts that name a second person: help with a ballot, a visit to a door, a count of hands. Whoever
is named countersigns under their own log-in; before that nobody signs the count."""

from collections.abc import Mapping, Sequence
from typing import Any

from api.demo.matter import Matter
from api.demo.paper import number_of
from api.demo.people import Person


async def help_at_office(
    matter: Matter, poll: str, phone: str, choice: str, *, beside: Person
) -> None:
    """The clerk writes what the voter says, with a colleague beside them."""
    people = matter.stage.people
    number = await number_of(matter, poll, phone)
    await matter.clerk.put(
        f"polls/{poll}/roll/{number}/ballot",
        {
            "answers": [{"item": 1, "choices": [choice]}],
            "consent_note": "本人到居委会办公室口述,填好后念给本人听,确认无误。",
            "helper_id": await people.id_of(matter.clerk),
            "witness_id": await people.id_of(beside),
        },
    )
    matter.said(f"名册第{number}号看不清手机,{matter.clerk.name}代为填写,{beside.name}在场")


async def count_hands(
    matter: Matter, poll: str, hands: Mapping[str, int], witnesses: Sequence[Person]
) -> dict[str, Any]:
    """A teller counts the hands for the one item of a poll, two who are present count along;
    returns the totals as each of them gives them."""
    ids = [await matter.stage.people.id_of(witness) for witness in witnesses]
    totals = {"heads": sum(hands.values()), "items": [{"item": 1, "hands": dict(hands)}]}
    teller = matter.tellers[0]
    await teller.put(f"polls/{poll}/hand-count", totals | {"witness_ids": ids})
    matter.said(f"举手表决,{teller.name}清点 {totals['heads']} 人,{len(ids)}名到会人员一同清点")
    return totals


async def countersign(
    matter: Matter, poll: str, who: Person, *, hands: Mapping[str, Any] | None = None
) -> None:
    """Confirm all that names oneself, of a count of hands by what one counted."""
    asked = (await who.get(f"polls/{poll}/countersignatures"))["items"]
    for one in asked:
        entry = f"{one['subject']}/{one['number']}/{one['turn']}"
        await who.put(
            f"polls/{poll}/countersignatures/{entry}", {"confirmed": True, "hands": hands}
        )
    matter.stage.expect(matter.story, f"{who.name or '到会人员'}用本人账号会签", len(asked), 1)


async def cannot_sign_yet(matter: Matter, poll: str, waiting: str) -> None:
    """``waiting``: the entry that is not countersigned, as subject and number."""
    teller = matter.tellers[0]
    counted = await teller.get(f"polls/{poll}")
    refused = await teller.put(
        f"polls/{poll}/signature", {"result_digest": counted["result_digest"]}, expect=409
    )
    found = refused["code"], refused["facts"]["entries"]
    missing = "countersignatures-missing", [f"{waiting} waiting"]
    matter.stage.expect(matter.story, "会签不齐,计票人不能签字", found, missing)


async def adds_up(
    matter: Matter, poll: str, channels: Mapping[str, int], *, countersigned: int
) -> None:
    """What everybody may read of a published poll: the ballots that count by channel, hands
    included, and the entries that were countersigned."""
    answer = await matter.stage.people.http.get(f"/v1/polls/{poll}/reconciliation")
    answer.raise_for_status()
    report = answer.json()
    came = {line["channel"]: line["counted"] for line in report["channels"]}
    if report["by_hand"]:
        came["hands"] = report["by_hand"]
    entries = report["countersigned"]
    expect, story = matter.stage.expect, matter.story
    expect(story, "公开核对:各渠道计入", came, dict(channels))
    expect(
        story,
        "公开核对:须会签、已会签",
        (entries["entries"], entries["confirmed"]),
        (countersigned, countersigned),
    )
    expect(story, "公开核对:发出、收回和计票一致", report["reconciles"], True)
