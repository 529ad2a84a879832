"""What is shown of a poll does not single anybody out (trust 5.2): turnout in steps, and areas."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.phrases import write
from consultation.community.tables import NodeKind
from consultation.permissions import SYSTEM, Actor, Role
from consultation.polls import board, board_queries, disclosure, phrases, receipts
from consultation.polls.board_tables import Tree
from consultation.polls.commands import closing, drafting, packing, paper, recording, sheets
from consultation.polls.counting import Count, Result, Vote, count
from consultation.polls.pack import Edition
from consultation.polls.preset_files import presets
from consultation.polls.presets import BallotChannel, BallotMode, Silent
from consultation.polls.queries import turnouts_shown
from consultation.polls.rules import PollItem
from consultation.topics.tables import Document
from tests.api.test_polls import bearer
from tests.consultation.polls.counting_cases import preset
from tests.consultation.polls.stage import Stage

ITEM = PollItem(number=1, text="事项")
LETTERS = ("for", "against", "abstain")


def counted(areas: Sequence[int], choices: Sequence[str | None]) -> Result:
    roll = {UUID(int=index): area for index, area in enumerate(areas)}
    votes = [
        Vote(UUID(int=index), {"1": [choice]})
        for index, choice in enumerate(choices)
        if choice is not None
    ]
    return count(preset("civil278_special"), [ITEM], roll, votes)


# ---- the attack on sums of areas ----------------------------------------------------------------


def singled_out(areas: Sequence[int], heads: int, low: int, high: int) -> list[int]:
    """Voters without whom no ``heads`` of these areas sum up to what was published (``low`` …
    ``high``): these certainly chose the answer. Areas in whole m²."""

    def possible(without: int) -> bool:
        sums = [1] + [0] * heads  # by heads, a bit for every sum that can be had
        for index, area in enumerate(areas):
            if index != without:
                for n in range(heads, 0, -1):
                    sums[n] |= sums[n - 1] << area
        return bool((sums[heads] >> low) & ((1 << (high - low + 1)) - 1))

    return [index for index in range(len(areas)) if not possible(index)]


def attack(areas: Sequence[int], shown: Result, exact: Result) -> list[int]:
    """Everybody whom some published sum singles out; ``exact`` only says how many heads."""
    found: list[int] = []
    whole = sum(areas)
    for code in LETTERS:
        heads, area = shown.items[0].votes(code).heads, shown.items[0].votes(code).area_dm2
        if heads in (0, exact.participating.heads) or area == 0:
            continue  # nobody, everybody, or no area shown
        width = 0 if shown is exact else whole / 2000 + 1
        low, high = (area / 100 - width), (area / 100 + width)
        found += singled_out(areas, heads, max(0, int(low)), int(high))
    return found


def estate(random: random.Random) -> tuple[list[int], list[str | None]]:
    """30 to 40 homes, all of different size; a few are against, some abstain, some stay away."""
    homes = random.randint(30, 40)
    areas = random.sample(range(60, 145), homes)
    few = random.randint(1, 8)
    choices: list[str | None] = ["against"] * few
    choices += random.choices(["for", "for", "abstain", None], k=homes - few)
    random.shuffle(choices)
    return areas, choices


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9))
def test_no_rounded_result_singles_out_a_voter(seed: int) -> None:
    areas, choices = estate(random.Random(seed))
    exact = counted([area * 100 for area in areas], choices)
    shown = disclosure.without_areas(exact)
    assert attack(areas, shown, exact) == []


def test_the_same_attack_finds_voters_in_exact_sums() -> None:
    hits = 0
    for seed in range(60):
        areas, choices = estate(random.Random(seed))
        exact = counted([area * 100 for area in areas], choices)
        hits += bool(attack(areas, exact, exact))
    assert hits >= 5  # a lone one against is found by the sum itself


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**9))
def test_rounding_keeps_what_decides_and_every_head(seed: int) -> None:
    areas, choices = estate(random.Random(seed))
    exact = counted([area * 100 for area in areas], choices)
    shown = disclosure.without_areas(exact)
    assert shown.verdict is exact.verdict
    assert [one.reached for one in shown.turnout] == [one.reached for one in exact.turnout]
    assert shown.eligible == exact.eligible
    cells = [tally.votes for tally in shown.items[0].tallies]
    assert [c.heads for c in cells] == [t.votes.heads for t in exact.items[0].tallies]
    thousandth = exact.eligible.area_dm2 / 1000
    for cell, before in zip(cells, exact.items[0].tallies, strict=True):
        assert cell.area_dm2 == 0 or abs(cell.area_dm2 - before.votes.area_dm2) <= thousandth
    if any(0 < cell.heads < 5 for cell in cells):
        assert {cell.area_dm2 for cell in cells} == {0}
    told = [step.key for step in (*shown.steps, *shown.items[0].steps)]
    assert told == [
        step.key for step in (*exact.steps, *exact.items[0].steps) if "heads" in step.key
    ]
    assert disclosure.per_mille(0, 0) == 0


def test_the_few_silent_do_not_follow_from_what_is_shown_beside_them() -> None:
    roll = {UUID(int=index): 7000 + 997 * index for index in range(30)}
    rule = preset("civil278_general").model_copy(update={"silent": Silent.DEEMED_MAJORITY})
    for silent, shown in ((3, False), (8, True)):
        votes = [Vote(UUID(int=index), {"1": ["for"]}) for index in range(20)]
        votes += [Vote(UUID(int=20 + n), None, deemed=True) for n in range(silent)]
        public = disclosure.without_areas(count(rule, [ITEM], roll, votes))
        assert (public.valid.heads, public.deemed.heads) == (20, silent)
        assert public.participating.area_dm2 > 0
        assert (public.valid.area_dm2 > 0) is (public.deemed.area_dm2 > 0) is shown


def test_no_preset_has_exact_areas_announced() -> None:
    hiding = {one.id for one in presets().values() if disclosure.hides_areas(one)}
    assert hiding == {"civil278_general", "civil278_special", "lift_scope_owners"}
    assert hiding == {one.id for one in presets().values() if "area" in one.measures}


@pytest.mark.parametrize(
    ("letters", "said"),
    [
        ("fffffffffaa.", "同意面积达到参与表决的专有部分面积的四分之三以上。"),
        ("fffffffffaao", "同意面积未达到参与表决的专有部分面积的四分之三以上。"),
        ("fffffffaaaaa", "同意面积约占参与表决的专有部分面积的58.0%,未达到四分之三以上。"),
    ],
)
async def test_what_everybody_gets_of_an_owners_poll_holds_no_exact_sum(
    stage: Stage, client: httpx.AsyncClient, letters: str, said: str
) -> None:
    poll, owners = await stage.lift_poll()
    await stage.vote(poll.id, owners, letters)
    published = await stage.published(poll.id)
    assert published.result is not None
    item = published.result.items[0]
    sums = {tally.votes.area_dm2 for tally in item.tallies if tally.votes.area_dm2}
    written = {str(area) for area in sums} | {phrases.square_metres(area) for area in sums}

    path = f"/v1/polls/{poll.id}"
    async with stage.db.begin() as tx:
        sheet = await tx.session.get_one(Document, published.tally_sheet_id)
    async with stage.db.begin(Actor(person_id=None)) as tx:
        pack = await packing.make_pack(tx, poll.id, Edition.PUBLIC)
    page = (await client.get(f"/t/{poll.topic_id}")).text
    visitor = (await client.get(path)).json()
    public = [sheet.body, page, str(visitor), pack["tally.json"].decode()]
    assert [(one, text) for text in public for one in written if one in text] == []
    assert said in sheet.body
    assert said in page
    assert said in visitor["wording"]
    assert visitor["areas_rounded"] is True
    assert visitor["result_digest"] is None
    heads = [tally["votes"]["heads"] for tally in visitor["result"]["items"][0]["tallies"]]
    assert heads == [letters.count(one) for one in "fao"]
    assert visitor["turnout_progress"][1]["reached"] is True

    for person, exact in ((owners[0], True), (stage.world.id("resident1"), False)):
        seen = (await client.get(path, headers=bearer(stage.world, person))).json()
        assert seen["areas_rounded"] is not exact
        assert (seen["result"] == published.result.model_dump(mode="json")) is exact
    for name, role in (("teller1", Role.TELLER), ("supervisor", Role.SUPERVISOR)):
        seen = (await client.get(path, headers=stage.world.headers(name, role))).json()
        assert seen["result"] == published.result.model_dump(mode="json")


async def test_where_heads_alone_decide_nobody_sees_a_sum_of_areas(
    stage: Stage, client: httpx.AsyncClient
) -> None:
    """民法典 279: all owners of the building must agree, and a sum of areas names who does not."""
    building = await stage.place(NodeKind.BUILDING, "8幢", stage.world.nodes["estate"])
    owners = await stage.people(4, stage.world.community.id)
    areas = [683517, 742031, 881209, 900143]  # found nowhere by chance, as in a digest
    await stage.homes(stage.world.nodes["estate"], building, areas, owners)
    topic = await stage.topic("civil279_unanimous", building)
    poll = await stage.opened("civil279_unanimous", topic, building)
    path = f"/v1/polls/{poll.id}"
    await stage.vote(poll.id, owners, "ffaf")
    running = (await client.get(path)).json()
    await stage.published(poll.id)

    async with stage.db.begin(Actor(person_id=None)) as tx:
        pack = await packing.make_pack(tx, poll.id, Edition.PUBLIC)
    visitor = (await client.get(path)).json()
    page = (await client.get(f"/t/{poll.topic_id}")).text
    public = [str(running), str(visitor), page, pack["tally.json"].decode()]
    sums = [*areas, sum(areas) - areas[2], sum(areas)]
    written = [str(area) for area in sums] + [phrases.square_metres(area) for area in sums]
    assert [(one, text) for text in public for one in written if one in text] == []
    assert running["turnout"] == {"heads": 4, "area_dm2": 0}
    votes = [tally["votes"] for tally in visitor["result"]["items"][0]["tallies"]]
    assert votes == [{"heads": n, "area_dm2": 0} for n in (3, 1, 0)]
    assert {place.area_dm2 for place in (await stage.roll(poll.id)).values()} == {0}


# ---- turnout ------------------------------------------------------------------------------------


@given(st.lists(st.integers(0, 30), max_size=40))
def test_shown_turnout_moves_by_ten_or_not_at_all(arrivals: list[int]) -> None:
    shown, came = Count(), 0
    for more in arrivals:
        came += more
        after = disclosure.step(shown, Count(heads=came))
        assert after == shown or after.heads - shown.heads >= 10
        assert came - after.heads < 10
        shown = after


def test_turnout_is_looked_at_each_hour_but_not_in_the_last() -> None:
    opens = datetime(2026, 3, 1, 8, tzinfo=UTC)
    closes = opens + timedelta(hours=5)
    looks, now = [], opens - timedelta(days=1)
    while (at := disclosure.next_look(opens, closes, now)) is not None:
        looks.append(at - opens)
        now = at
    assert looks == [timedelta(hours=hours) for hours in (1, 2, 3, 4)]
    assert disclosure.next_look(opens, opens + timedelta(minutes=90), opens) is None


def test_confidential_polls_always_go_by_steps() -> None:
    for one in presets().values():
        assert disclosure.in_steps(one, BallotMode.CONFIDENTIAL)
        assert disclosure.in_steps(one, BallotMode.NAMED) != one.exact_turnout


@pytest.mark.parametrize("mode", [BallotMode.NAMED, BallotMode.CONFIDENTIAL])
async def test_the_turnout_of_a_confidential_poll_goes_by_steps_of_an_hour(
    stage: Stage, mode: BallotMode
) -> None:
    confidential = mode is BallotMode.CONFIDENTIAL
    poll, people = await stage.household_poll(30, mode=mode)

    async def shown() -> int:
        async with stage.db.read() as tx:
            return (await turnouts_shown(tx, [poll.id]))[poll.id].heads

    async def vote(first: int, last: int) -> None:
        for person in people[first:last]:
            if confidential:
                await stage.cast_sealed(poll.id, person, "for")
            else:
                await stage.cast(poll.id, person, "for")

    async def later(**by: float) -> int:
        stage.clock.advance(**by)
        await stage.work()
        return await shown()

    await vote(0, 12)
    assert await shown() == (0 if confidential else 12)
    assert await later(minutes=59) == (0 if confidential else 12)
    assert await later(minutes=2) == 12
    await vote(12, 21)
    assert await later(hours=1) == (12 if confidential else 21)  # nine more are no step
    await vote(21, 23)
    assert await later(hours=1) == 23
    await vote(23, 30)
    stage.clock.now = poll.closes_at - timedelta(minutes=30)
    await stage.work()
    assert await shown() == (23 if confidential else 30)


@pytest.mark.parametrize(
    ("mode", "rule", "sizes"),
    [
        # five voters a day: the board shows tens, in the last hour and the rest after the close
        (BallotMode.CONFIDENTIAL, {}, [0, 10, 10, 20, 20]),
        (BallotMode.NAMED, {"exact_turnout": False}, [0, 10, 10, 20, 20]),
        (BallotMode.NAMED, {}, [5, 10, 15, 20, 25]),
        (BallotMode.NAMED, {"live_turnout": False}, [0, 0, 0, 0, 0]),
        (BallotMode.CONFIDENTIAL, {"live_turnout": False}, [0, 0, 0, 0, 0]),
    ],
)
async def test_the_board_of_an_open_poll_says_no_more_than_its_turnout(
    stage: Stage,
    client: httpx.AsyncClient,
    mode: BallotMode,
    rule: dict[str, bool],
    sizes: list[int],
) -> None:
    poll, people = await stage.household_poll(46, mode=mode, rule=rule)
    held_back = disclosure.held_back(poll.preset, poll.mode)
    promised: list[tuple[str, str]] = []

    async def board_now() -> tuple[int, set[str]]:
        shown = (await client.get(f"/v1/polls/{poll.id}/board")).json()
        return shown["head"]["size"], set(shown["leaves"])

    async def vote(people: list[UUID]) -> None:
        for person in people:
            cast = stage.cast_sealed if mode is BallotMode.CONFIDENTIAL else stage.cast
            await cast(poll.id, person, "for")
            async with stage.db.read(Actor(person_id=person)) as tx:
                signed = await receipts.own_receipt(tx, await stage.load(poll.id))
            promised.append((signed.receipt, signed.include_by))

    seen: list[int] = []
    for day in range(5):
        await vote(people[day * 5 : day * 5 + 5])
        stage.clock.now = board.day_begins(stage.clock.now) + timedelta(days=1, minutes=1)
        await stage.work()
        size, leaves = await board_now()
        assert len(leaves) == size
        seen.append(size)
    assert seen == sizes

    await vote(people[25:46])
    stage.clock.now = poll.closes_at - timedelta(minutes=30)
    async with stage.db.begin(SYSTEM) as tx:  # a round in the last hour
        await recording.put_on_board(tx, poll.id)
    assert (await board_now())[0] == (sizes[-1] if held_back else 46)

    await stage.closed(poll.id)
    await stage.work()
    size, leaves = await board_now()
    assert size == 46
    assert {leaf for leaf, _ in promised} == leaves
    if held_back:
        assert all(stage.clock.now <= datetime.fromisoformat(by) for _, by in promised)


async def test_a_receipt_is_kept_also_where_the_close_is_moved(stage: Stage) -> None:
    poll, people = await stage.household_poll(40)
    await stage.cast_sealed(poll.id, people[0], "for")

    async def promise() -> datetime:
        async with stage.db.read(Actor(person_id=people[0])) as tx:
            signed = await receipts.own_receipt(tx, await stage.load(poll.id))
        return datetime.fromisoformat(signed.include_by)

    before = await promise()
    latest = poll.opens_at + timedelta(days=poll.preset.window_days_max)
    assert before == board.include_by(latest)
    async with stage.db.begin(stage.secretary) as tx:
        await drafting.extend_poll(
            tx, poll.id, closes_at=latest, reason="参与户数不够。", write=write
        )
    assert await promise() == before
    await stage.closed(poll.id)
    await stage.work()
    async with stage.db.read() as tx:
        head = await board_queries.last_head(tx, poll.id, Tree.RECORDED)
    assert head is not None
    assert (head.size, head.at <= before) == (1, True)


# ---- the registers before the close -------------------------------------------------------------


async def registers(stage: Stage, poll_id: UUID, who: str, role: Role) -> dict[str, object]:
    async with stage.db.read(stage.world.as_(who, role)) as tx:
        return (await closing.read_reconciliation(tx, poll_id)).model_dump(mode="json")


async def test_the_registers_of_an_open_poll_tell_nobody_that_a_ballot_came(stage: Stage) -> None:
    poll, people = await stage.household_poll(14, rule={"channels": [*BallotChannel]})
    watchers = (("supervisor", Role.SUPERVISOR), ("teller1", Role.TELLER))
    async with stage.db.begin(stage.clerk) as tx:
        await paper.print_forms(tx, poll.id, first=1, last=3)
    async with stage.db.begin(stage.clerk) as tx:
        await paper.issue_form(tx, poll.id, 1, number=12, signature_sha256="ab" * 32)
    seen = [[await registers(stage, poll.id, *one) for one in watchers]]
    for person in people[:9]:
        await stage.cast_sealed(poll.id, person, "for")
        seen.append([await registers(stage, poll.id, *one) for one in watchers])
    async with stage.db.begin(stage.world.as_("teller1", Role.TELLER)) as tx:
        await sheets.take_envelope(tx, poll.id, 1)
    seen.append([await registers(stage, poll.id, *one) for one in watchers])
    issued = {"eligible": 14, "printed": 3, "issued": 1, "issued_at_door": 0}
    assert seen == [[issued, issued]] * 11

    await stage.closed(poll.id)
    report = await registers(stage, poll.id, "supervisor", Role.SUPERVISOR)
    assert report["voters"] == 10


async def test_the_registers_of_an_open_named_poll_say_nothing_of_invalid_forms(
    stage: Stage,
) -> None:
    poll, _ = await stage.lift_poll()
    async with stage.db.begin(stage.clerk) as tx:
        await paper.print_forms(tx, poll.id, first=1, last=1)
        await paper.issue_form(tx, poll.id, 1, number=1, signature_sha256="ab" * 32)
    before = await registers(stage, poll.id, "supervisor", Role.SUPERVISOR)
    for name in ("teller1", "teller2"):
        async with stage.db.begin(stage.world.as_(name, Role.TELLER)) as tx:
            await paper.enter_form(tx, poll.id, 1, None, scans=["cd" * 32])
    assert await registers(stage, poll.id, "supervisor", Role.SUPERVISOR) == before
    assert set(before) == {"eligible", "printed", "issued", "issued_at_door"}

    await stage.closed(poll.id)
    report = await registers(stage, poll.id, "supervisor", Role.SUPERVISOR)
    assert report["channels"] == [
        {"channel": "paper", "cast": 1, "counted": 0, "invalid": 1, "set_aside": 0, "replaced": 0}
    ]
