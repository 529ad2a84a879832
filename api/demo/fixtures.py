"""The numbers of the law, row by row: what the count must say of votes whose result is known.

Areas are in 0.01 m², money in fen. The votes are counted by the same function as any poll's.
"""

from collections.abc import Iterator, Sequence
from uuid import UUID

from api.demo.stage import Stage
from consultation.polls.counting import Count, Funding, Result, Vote, count, turnout_progress
from consultation.polls.phrases import percent
from consultation.polls.preset_files import presets
from consultation.polls.presets import RulePreset
from consultation.polls.rules import PollItem

FLATS = [6835, 7420] * 6  # 101, 102, 201, … 602 of one entrance
CHOICES = {"f": "for", "a": "against", "o": "abstain"}
FUND = (  # item, cost in yuan, votes for it
    ("楼道适老化扶手", 86_000, 55),
    ("儿童微花园", 54_000, 41),
    ("监控补点", 60_000, 47),
    ("助老理发与体检", 32_000, 52),
    ("门厅电子屏", 78_000, 18),
)


def check_numbers(stage: Stage) -> None:
    for row, what, actual, expected in _rows():
        stage.expect(row, what, actual, expected)


def _rows() -> Iterator[tuple[str, str, object, object]]:
    first = _tally("lift_scope_owners", FLATS, "aafo" + "f" * 8)
    heads, area = first.items[0].approval
    yield "8.3", "D1 第一轮 名册 户/㎡×100", _pair(first.eligible), (12, 85530)
    yield (
        "8.3",
        "D1 第一轮 同意人数达到四分之三",
        (heads.value, heads.needed, heads.reached),
        (9, 9, True),
    )
    yield (
        "8.3",
        "D1 第一轮 同意面积",
        (area.value, area.needed, area.reached),
        (63855, 64148, False),
    )
    yield "8.3", "D1 第一轮 同意面积占比(四舍五入)", percent(area.value, area.base), "74.66"
    yield "8.3", "D1 第一轮 结论", first.verdict.value, "not_passed"

    second = _tally("lift_scope_owners", FLATS, "aa" + "f" * 10)
    yield "8.3", "D1 第二轮 同意", _pair(second.items[0].votes_for), (10, 71275)
    shares = {percent(c.value, c.base) for c in second.items[0].approval}
    yield "8.3", "D1 第二轮 两项占比", shares, {"83.33"}
    yield "8.3", "D1 第二轮 结论", second.verdict.value, "passed"

    roll = [*_spread(4481230, 447), *_spread(1540310, 141), *_spread(2943760, 251)]
    third = _tally("civil278_special", roll, "f" * 447 + "a" * 141)
    came, came_area = third.turnout
    yield "8.3", "D3 参与人数", (came.value, came.needed, came.reached), (588, 560, True)
    yield "8.3", "D3 参与面积", (came_area.value, came_area.needed), (6021540, 5976867)
    heads, area = third.items[0].approval
    yield (
        "8.3",
        "D3 同意人数占比",
        (percent(heads.value, heads.base), heads.reached),
        ("76.02", True),
    )
    yield "8.3", "D3 同意面积占比", (percent(area.value, area.base), area.reached), ("74.42", False)
    yield "8.3", "D3 结论", third.verdict.value, "not_passed"

    general, everyone = _preset("civil278_general"), Count(heads=489, area_dm2=5821120)
    heads, area = turnout_progress(general, everyone, Count(heads=271, area_dm2=3200455))
    yield (
        "8.3",
        "D5 目前参与占比",
        (percent(heads.value, 489), percent(area.value, area.base)),
        ("55.42", "54.98"),
    )
    yield "8.3", "D5 需要人数、面积", (heads.needed, area.needed), (326, 3880747)
    for came_heads, reached in ((325, False), (326, True)):
        heads, _ = turnout_progress(general, everyone, Count(heads=came_heads, area_dm2=3880747))
        yield "8.3", f"D5 {came_heads}/489 人达到三分之二", heads.reached, reached
    for came_dm2, reached in ((3880746, False), (3880747, True)):
        _, area = turnout_progress(general, everyone, Count(heads=326, area_dm2=came_dm2))
        yield "8.3", f"D5 {came_dm2 / 100:.2f} ㎡达到三分之二", area.reached, reached

    poll = _tally("household_poll", [0] * 640, "f" * 301 + "a" * 98 + "o" * 22)
    came, item = poll.turnout[0], poll.items[0]
    yield "8.3", "D2 参与", (came.value, percent(came.value, came.base)), (421, "65.78")
    yield "8.3", "D2 支持占比", percent(item.approval[0].value, item.approval[0].base), "71.50"
    yield "8.3", "D2 结论", poll.verdict.value, "supported"

    fund = _fund()
    yield "8.3", "D7 到会、需要到会", (fund.turnout[0].value, fund.turnout[0].needed), (58, 51)
    yield "8.3", "D7 每项需要", {i.approval[0].needed for i in fund.items}, {30}
    funded = [i.number for i in fund.items if i.funding is Funding.FUNDED]
    reserve = [i.number for i in fund.items if i.funding is Funding.RESERVE]
    yield "8.3", "D7 列支 A、C、D,备选 B", (funded, reserve), ([1, 3, 4], [2])
    yield "8.3", "D7 结余(分)", fund.budget_left_fen, 2_200_000

    village = _tally("village_reps", [0] * 91, "f" * 61 + "a" * 9 + "o" * 4, present=74)
    yield (
        "8.3",
        "D12 到会、需要到会",
        (village.turnout[0].value, village.turnout[0].needed),
        (74, 61),
    )
    yield "8.3", "D12 同意、需要同意", (61, village.items[0].approval[0].needed), (61, 38)
    yield "8.3", "D12 结论", village.verdict.value, "passed"


def _pair(found: Count) -> tuple[int, int]:
    return found.heads, found.area_dm2


def _preset(name: str) -> RulePreset:
    return next(preset for preset in presets().values() if preset.id == name)


def _spread(total: int, heads: int) -> list[int]:
    """``total`` over ``heads`` as evenly as whole numbers go."""
    share, rest = divmod(total, heads)
    return [share + (index < rest) for index in range(heads)]


def _tally(name: str, areas: Sequence[int], answers: str, *, present: int | None = None) -> Result:
    roll = {UUID(int=index): area for index, area in enumerate(areas)}
    votes = [Vote(UUID(int=i), {"1": [CHOICES[answer]]}) for i, answer in enumerate(answers)]
    items = [PollItem(number=1, text="表决事项")]
    return count(_preset(name), items, roll, votes, present=present)


def _fund() -> Result:
    items = [
        PollItem(number=number, text=text, cost_fen=yuan * 100)
        for number, (text, yuan, _) in enumerate(FUND, 1)
    ]
    votes = [
        Vote(
            UUID(int=index),
            {
                str(number): ["for" if index < agree else "against"]
                for number, (_, _, agree) in enumerate(FUND, 1)
            },
        )
        for index in range(58)
    ]
    roll = {UUID(int=index): 0 for index in range(76)}
    preset = _preset("fund_allocation")
    return count(preset, items, roll, votes, present=58, budget_fen=20_000_000)
