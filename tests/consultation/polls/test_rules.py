"""When a poll may be held, and what a ballot is."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from consultation.community.tables import NodeKind
from consultation.polls import rules, terms
from consultation.polls.items import PollItemsInvalid, check_items
from consultation.polls.precedence import Precedence, precedence
from consultation.polls.preset_files import presets
from consultation.polls.presets import BallotChannel, Duplicates, Electorate, QuestionKind, Revote
from consultation.polls.rules import Option, PollItem, PollState
from consultation.refusals import Refusal
from consultation.topics.states import Layer
from tests.consultation.polls.counting_cases import preset

CLOSES = datetime(2026, 6, 16, 16, tzinfo=UTC)
TICK = timedelta(microseconds=1)
TWO = [PollItem(number=1, text="甲"), PollItem(number=2, text="乙")]
SPECIAL = preset("civil278_special")


@pytest.mark.parametrize(
    ("state", "now", "refusal"),
    [
        (PollState.OPEN, CLOSES - TICK, None),
        (PollState.OPEN, CLOSES, rules.PollClosed),
        (PollState.OPEN, CLOSES + TICK, rules.PollClosed),
        (PollState.DRAFT, CLOSES - TICK, rules.PollNotOpen),
        (PollState.ANNOUNCED, CLOSES - TICK, rules.PollNotOpen),
        (PollState.CLOSED, CLOSES - TICK, rules.PollClosed),
        (PollState.PUBLISHED, CLOSES - TICK, rules.PollClosed),
        (PollState.VOIDED, CLOSES - TICK, rules.PollNotOpen),
    ],
)
def test_the_closing_instant_is_already_too_late(
    state: PollState, now: datetime, refusal: type[Refusal] | None
) -> None:
    if refusal is None:
        rules.check_open(state, CLOSES, now)
    else:
        with pytest.raises(refusal):
            rules.check_open(state, CLOSES, now)


@pytest.mark.parametrize(
    ("answers", "valid"),
    [
        ([(1, ["for"]), (2, ["against"])], True),
        ([(2, ["abstain"]), (1, ["abstain"])], True),
        ([(1, ["for"])], False),
        ([], False),
        ([(1, ["for"]), (1, ["for"]), (2, ["for"])], False),
        ([(1, ["for"]), (1, ["against"]), (2, ["for"])], False),
        ([(1, ["for"]), (2, ["for"]), (3, ["for"])], False),
        ([(1, ["for"]), (2, ["yes"])], False),
        ([(1, ["for"]), (2, [""])], False),
        ([(0, ["for"]), (1, ["for"]), (2, ["for"])], False),
    ],
)
def test_a_ballot_answers_every_item_exactly_once(
    answers: list[tuple[int, list[str]]], valid: bool
) -> None:
    if valid:
        assert rules.check_ballot(TWO, answers) == {str(n): c for n, c in sorted(answers)}
    else:
        with pytest.raises(rules.BallotInvalid):
            rules.check_ballot(TWO, answers)


OPTIONS = [
    Option(code="a", text="东门"),
    Option(code="b", text="南门"),
    Option(code="c", text="北门"),
]
ONE = PollItem(number=1, text="选址", kind=QuestionKind.SINGLE_CHOICE, options=OPTIONS)
TWO_OF_THREE = PollItem(
    number=1, text="评委", kind=QuestionKind.ELECTION, options=OPTIONS, most=2, seats=2
)
GRADES = PollItem(number=1, text="评议", kind=QuestionKind.RATING, options=OPTIONS)


@pytest.mark.parametrize(
    ("item", "answer", "valid"),
    [
        (ONE, ["a"], True),
        (ONE, ["none"], True),
        (ONE, ["abstain"], True),
        (ONE, ["a", "b"], False),
        (ONE, ["for"], False),
        (ONE, [], False),
        (TWO_OF_THREE, ["b", "a"], True),
        (TWO_OF_THREE, ["a"], True),
        (TWO_OF_THREE, ["a", "a"], False),
        (TWO_OF_THREE, ["a", "b", "c"], False),
        (TWO_OF_THREE, ["a", "none"], False),
        (TWO_OF_THREE, ["none"], True),
        (GRADES, ["c"], True),
        (GRADES, ["none"], False),
    ],
)
def test_an_answer_fits_the_kind_of_its_item(
    item: PollItem, answer: list[str], valid: bool
) -> None:
    if valid:
        assert rules.check_ballot([item], [(1, answer)]) == {"1": sorted(answer)}
    else:
        with pytest.raises(rules.BallotInvalid) as refused:
            rules.check_ballot([item], [(1, answer)])
        assert refused.value.facts == {"item": 1, "choices": item.choices, "most": item.most}


E_, P_, A_, V_, X_ = (
    BallotChannel.ELECTRONIC,
    BallotChannel.PAPER,
    BallotChannel.ASSISTED,
    BallotChannel.HOME_VISIT,
    BallotChannel.PROXY,
)


@pytest.mark.parametrize(
    ("stands", "comes", "revote", "paper_first", "outcome"),
    [
        (E_, E_, False, False, Precedence.REFUSED),
        (E_, E_, True, False, Precedence.REPLACES),
        (E_, P_, False, False, Precedence.SET_ASIDE),
        (P_, E_, False, False, Precedence.REPLACES),
        (E_, P_, True, True, Precedence.REPLACES),
        (P_, E_, True, True, Precedence.SET_ASIDE),
        (P_, P_, True, False, Precedence.REFUSED),
        (P_, V_, False, False, Precedence.REFUSED),
        (A_, V_, False, True, Precedence.REPLACES),
        (X_, E_, False, False, Precedence.REPLACES),
        (X_, P_, False, False, Precedence.REPLACES),
        (E_, X_, True, False, Precedence.SET_ASIDE),
        (X_, X_, True, False, Precedence.REPLACES),
        (X_, X_, False, False, Precedence.REFUSED),
    ],
)
def test_which_of_a_voters_casts_stands(
    stands: BallotChannel,
    comes: BallotChannel,
    revote: bool,
    paper_first: bool,
    outcome: Precedence,
) -> None:
    rule = preset("civil278_special").model_copy(
        update={
            "revote": Revote.LAST_VALID_BEFORE_CLOSE if revote else Revote.NONE,
            "duplicates": (
                Duplicates.PAPER_PREVAILS if paper_first else Duplicates.ELECTRONIC_PREVAILS
            ),
        }
    )

    assert precedence(rule, stands, comes) is outcome


@pytest.mark.parametrize("first", [*Duplicates])
def test_between_phone_and_paper_the_one_that_can_be_read_stands(first: Duplicates) -> None:
    rule = preset("civil278_special").model_copy(update={"duplicates": first})
    for paper in (P_, V_):
        unreadable = precedence(rule, E_, paper, comes_valid=False)
        assert unreadable is Precedence.SET_ASIDE
        assert precedence(rule, paper, E_, stands_valid=False) is Precedence.REPLACES
        assert precedence(rule, X_, paper, comes_valid=False) is Precedence.REPLACES


@pytest.mark.parametrize(
    ("name", "items", "budget", "problem"),
    [
        ("civil278_special", TWO, None, None),
        ("civil278_special", [], None, "no_items"),
        ("civil278_special", [TWO[0], TWO[0]], None, "same_item_twice"),
        ("civil278_special", [ONE], None, "kind_not_of_preset"),
        ("civil278_special", [TWO[0].model_copy(update={"options": OPTIONS})], None, "options"),
        ("civil278_special", [TWO[0].model_copy(update={"seats": 1})], None, "options"),
        ("civil278_special", TWO, 100, "costs_not_asked"),
        ("civil278_special", [PollItem(number=1, text="甲", cost_fen=1)], None, "costs_not_asked"),
        ("fund_allocation", [PollItem(number=1, text="甲", cost_fen=1)], 100, None),
        ("fund_allocation", [PollItem(number=1, text="甲", cost_fen=1)], None, "costs_missing"),
        ("fund_allocation", TWO, 100, "costs_missing"),
    ],
)
def test_items_fit_the_preset(
    name: str, items: list[PollItem], budget: int | None, problem: str | None
) -> None:
    if problem is None:
        check_items(preset(name), items, budget)
    else:
        with pytest.raises(PollItemsInvalid) as caught:
            check_items(preset(name), items, budget)
        assert caught.value.facts["problem"] == problem


@pytest.mark.parametrize(
    ("window", "fits"),
    [
        (timedelta(days=5), True),
        (timedelta(days=5) - TICK, False),
        (timedelta(days=60), True),
        (timedelta(days=60) + TICK, False),
        (timedelta(0), False),
        (timedelta(days=-7), False),
    ],
)
def test_the_window_keeps_the_preset_s_bounds(window: timedelta, fits: bool) -> None:
    if fits:
        terms.check_window(SPECIAL, CLOSES - window, CLOSES)
    else:
        with pytest.raises(terms.PollWindowInvalid):
            terms.check_window(SPECIAL, CLOSES - window, CLOSES)


@pytest.mark.parametrize(
    ("opens", "over"),
    [("2026-06-10T00:00:00", True), ("2026-06-09T23:59:59", False), ("2026-05-26T00:00:00", False)],
)
def test_a_notice_of_fifteen_days_given_on_may_25_is_over_on_june_10(
    opens: str, over: bool
) -> None:
    now = datetime.fromisoformat("2026-05-25T18:30:00+08:00").astimezone(UTC)
    opens_at = datetime.fromisoformat(opens + "+08:00").astimezone(UTC)
    if over:
        terms.check_notice(SPECIAL, opens_at, now)
    else:
        with pytest.raises(terms.PollWindowInvalid):
            terms.check_notice(SPECIAL, opens_at, now)


def test_an_opinion_poll_may_open_at_once_and_not_in_the_past() -> None:
    terms.check_notice(preset("open_poll"), CLOSES, CLOSES)
    with pytest.raises(terms.PollWindowInvalid):
        terms.check_notice(preset("open_poll"), CLOSES - TICK, CLOSES)


@pytest.mark.parametrize(
    ("electorate", "kind", "fits"),
    [
        (Electorate.OWNERS, NodeKind.ESTATE, True),
        (Electorate.OWNERS, NodeKind.BUILDING, False),
        (Electorate.OWNERS, NodeKind.COMMUNITY, False),
        (Electorate.OWNERS_IN_SCOPE, NodeKind.BUILDING, True),
        (Electorate.OWNERS_IN_SCOPE, NodeKind.ENTRANCE, True),
        (Electorate.OWNERS_IN_SCOPE, NodeKind.ESTATE, False),
        (Electorate.HOUSEHOLD_REPRESENTATIVES, NodeKind.GRID, True),
        (Electorate.HOUSEHOLD_REPRESENTATIVES, NodeKind.ESTATE, True),
        (Electorate.HOUSEHOLD_REPRESENTATIVES, NodeKind.SUBDISTRICT, False),
        (Electorate.RESIDENTS_REPRESENTATIVES, NodeKind.COMMUNITY, True),
        (Electorate.RESIDENTS_REPRESENTATIVES, NodeKind.VILLAGE, False),
        (Electorate.VILLAGERS_REPRESENTATIVES, NodeKind.VILLAGE, True),
        (Electorate.OPEN_POLL, NodeKind.VILLAGE, True),
        (Electorate.OPEN_POLL, NodeKind.GRID, False),
    ],
)
def test_each_electorate_votes_at_its_kind_of_place(
    electorate: Electorate, kind: NodeKind, fits: bool
) -> None:
    one = SPECIAL.model_copy(update={"electorate": electorate})
    if fits:
        terms.check_scope(one, kind, in_topic=True)
        with pytest.raises(terms.PollScopeInvalid):
            terms.check_scope(one, kind, in_topic=False)
    else:
        with pytest.raises(terms.PollScopeInvalid):
            terms.check_scope(one, kind, in_topic=True)


def test_a_home_into_business_premises_is_for_the_owners_of_the_whole_building() -> None:
    """民法典 279: all owners of the building, where a lift is for one entrance."""
    terms.check_scope(preset("civil279_unanimous"), NodeKind.BUILDING, in_topic=True)
    terms.check_scope(preset("lift_scope_owners"), NodeKind.ENTRANCE, in_topic=True)
    for kind in (NodeKind.ENTRANCE, NodeKind.ESTATE):
        with pytest.raises(terms.PollScopeInvalid):
            terms.check_scope(preset("civil279_unanimous"), kind, in_topic=True)


def test_a_preset_names_only_places_at_which_its_electorate_votes() -> None:
    for one in presets().values():
        assert {*one.places} <= terms.PLACES[one.electorate]


@pytest.mark.parametrize(
    ("layer", "planned", "frozen", "refusal"),
    [
        (Layer.OWNERS, SPECIAL.key, True, None),
        (Layer.OWNERS, None, False, None),
        (Layer.OWNERS, "civil278_general@2021-01-01", False, None),
        (Layer.OWNERS, "civil278_general@2021-01-01", True, terms.PresetNotPlanned),
        (Layer.OWNERS, None, True, terms.NoPollPlanned),
        (Layer.CONSULTATION, SPECIAL.key, True, terms.PollLayerMismatch),
        (Layer.ASSEMBLY, SPECIAL.key, True, terms.PollLayerMismatch),
        (None, SPECIAL.key, True, terms.PollLayerMismatch),
    ],
)
def test_the_preset_is_that_of_the_layer_and_of_the_frozen_plan(
    layer: Layer | None, planned: str | None, frozen: bool, refusal: type[Refusal] | None
) -> None:
    if refusal is None:
        terms.check_preset(SPECIAL, layer=layer, planned=planned, plan_frozen=frozen)
    else:
        with pytest.raises(refusal):
            terms.check_preset(SPECIAL, layer=layer, planned=planned, plan_frozen=frozen)


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("方案A", "方案A", True),
        ("方案A", "方案a", True),
        ("张 三", "张\u3000三", True),
        ("张三", "张\u200d三", True),
        ("张三", "张\u202e三", True),
        ("张三", "张\ufe00三", True),
        ("①号", "1号", True),
        ("张三", "张叁", False),
        ("方案1", "方案2", False),
    ],
)
def test_options_must_look_different(one: str, other: str, alike: bool) -> None:
    options = [Option(code="a", text=one), Option(code="b", text=other)]
    item = PollItem(number=1, text="甲", kind=QuestionKind.SINGLE_CHOICE, options=options)
    items = [PollItem(number=1, text=one), PollItem(number=2, text=other)]
    for preset_of, asked, problem in (
        ("household_poll", [item], "options"),
        ("civil278_special", items, "same_item_twice"),
    ):
        if not alike:
            check_items(preset(preset_of), asked, None)
            continue
        with pytest.raises(PollItemsInvalid) as refused:
            check_items(preset(preset_of), asked, None)
        assert refused.value.facts == {"problem": problem}


EXTENDABLE: dict[str, Any] = {
    "state": PollState.OPEN,
    "extensions": 0,
    "opens_at": CLOSES - timedelta(days=7),
    "closes_at": CLOSES,
    "new_closes_at": CLOSES + timedelta(days=7),
    "turnout_reached": False,
    "now": CLOSES - TICK,
}


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({}, None),
        ({"now": CLOSES}, rules.PollClosed),
        ({"state": PollState.CLOSED}, rules.PollClosed),
        ({"state": PollState.ANNOUNCED}, rules.PollNotOpen),
        ({"extensions": 1}, terms.CannotExtend),
        ({"turnout_reached": True}, terms.CannotExtend),
        ({"new_closes_at": CLOSES}, terms.PollWindowInvalid),
        ({"new_closes_at": CLOSES - timedelta(days=1)}, terms.PollWindowInvalid),
        ({"new_closes_at": CLOSES + timedelta(days=53)}, None),
        ({"new_closes_at": CLOSES + timedelta(days=53) + TICK}, terms.PollWindowInvalid),
    ],
)
def test_a_poll_is_extended_once_before_its_end_for_turnout(
    change: dict[str, Any], refusal: type[Refusal] | None
) -> None:
    if refusal is None:
        terms.check_extension(SPECIAL, **(EXTENDABLE | change))
    else:
        with pytest.raises(refusal):
            terms.check_extension(SPECIAL, **(EXTENDABLE | change))


def test_a_preset_without_extension_is_never_extended() -> None:
    with pytest.raises(terms.CannotExtend):
        terms.check_extension(preset("open_poll"), **EXTENDABLE)


def test_a_late_opening_leaves_the_shortest_window() -> None:
    terms.check_late_opening(SPECIAL, CLOSES, CLOSES - timedelta(days=5))
    with pytest.raises(terms.PollWindowInvalid):
        terms.check_late_opening(SPECIAL, CLOSES, CLOSES - timedelta(days=5) + TICK)
    with pytest.raises(terms.PollWindowInvalid):
        terms.check_late_opening(preset("village_reps"), CLOSES, CLOSES)


class Text:
    question = "是否加装电梯"
    items = TWO
    budget_fen = None
    preset = SPECIAL


@pytest.mark.parametrize(
    "change",
    [
        {"question": "是否加装电梯?"},
        {"items": TWO[::-1]},
        {"items": TWO[:1]},
        {"items": [TWO[0], TWO[1].model_copy(update={"cost_fen": 1})]},
        {"budget_fen": 0},
        {"preset": SPECIAL.model_copy(update={"binding": False})},
    ],
)
def test_the_text_hash_covers_all_that_voters_were_told(change: dict[str, Any]) -> None:
    changed = Text()
    for name, value in change.items():
        setattr(changed, name, value)

    assert rules.text_hash(changed) != rules.text_hash(Text())
    assert rules.text_hash(Text()) == rules.text_hash(Text())
