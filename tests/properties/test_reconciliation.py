"""The reconciliation, as laws: whatever comes in by whatever channel adds up, and what is lost,
dropped or added by hand does not."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consultation.polls.paper import FormFate
from consultation.polls.precedence import Precedence, precedence
from consultation.polls.preset_files import presets
from consultation.polls.presets import BallotChannel, Duplicates, Revote, RulePreset
from consultation.polls.reconciliation import (
    ON_FORMS,
    CastFact,
    LedgerFacts,
    MandateFact,
    PaperFacts,
    PollDoesNotReconcile,
    check_reconciled,
    reconcile,
)

PLACES = 9
CHANNELS = [
    BallotChannel.ELECTRONIC,
    BallotChannel.PAPER,
    BallotChannel.HOME_VISIT,
    BallotChannel.ASSISTED,
    BallotChannel.PROXY,
]
LIFT = next(one for key, one in presets().items() if key.startswith("lift_scope_owners"))
PRESETS = st.builds(
    lambda revote, duplicates: LIFT.model_copy(update={"revote": revote, "duplicates": duplicates}),
    st.sampled_from(Revote),
    st.sampled_from(Duplicates),
)
EVENTS = st.lists(
    st.tuples(
        st.integers(1, PLACES),
        st.sampled_from(CHANNELS),
        st.booleans(),  # readable
        st.sampled_from(["used", "spoiled", "kept"]),  # what else becomes of a form
    ),
    max_size=40,
)


def ledger(
    preset: RulePreset, events: Sequence[tuple[int, BallotChannel, bool, str]]
) -> LedgerFacts:
    """A poll in which these things happened, kept by the rules of the house and nothing else."""
    casts: list[CastFact] = []
    stands: dict[int, CastFact] = {}
    mandates: dict[int, MandateFact] = {}
    fates: dict[int, FormFate] = {}
    issued: set[int] = set()
    entered: set[int] = set()
    has_form: set[int] = set()
    assisted = form = 0
    for place, channel, readable, became in events:
        on_form = channel in ON_FORMS
        if on_form:
            if place in has_form:
                continue
            form += 1
            issued.add(form)
            if became != "used":
                fates[form] = FormFate(became)
                if became == "kept":
                    has_form.add(place)
                continue
            has_form.add(place)
        if channel is BallotChannel.PROXY:
            mandates.setdefault(place, MandateFact(place, withdrawn=False))
        known = stands.get(place)
        valid = readable or not on_form
        outcome = None
        if known is not None:
            outcome = precedence(
                preset, known.channel, channel, stands_valid=known.valid, comes_valid=valid
            )
        if outcome is Precedence.REFUSED:
            if on_form:
                fates[form] = FormFate.LATE
            continue
        cast = CastFact(
            place,
            1 + sum(one.place == place for one in casts),
            channel,
            valid=valid,
            set_aside=outcome is Precedence.SET_ASIDE,
        )
        casts.append(cast)
        if not cast.set_aside:
            stands[place] = cast
        if on_form:
            fates[form] = FormFate.RETURNED
            entered.add(form)
        assisted += channel is BallotChannel.ASSISTED
    printed = form + 3
    fates |= dict.fromkeys(range(form + 1, printed + 1), FormFate.UNUSED)
    valid = sum(cast.valid for cast in stands.values())
    return LedgerFacts(
        eligible=PLACES,
        casts=casts,
        assisted=assisted,
        turnout=len(stands),
        paper=PaperFacts(
            printed=printed, issued=frozenset(issued), fates=fates, entered=frozenset(entered)
        ),
        mandates=tuple(mandates.values()),
        counted=valid,
        invalid=len(stands) - valid,
    )


@given(PRESETS, EVENTS, st.randoms())
def test_whatever_comes_in_adds_up(preset, events, random) -> None:  # type: ignore[no-untyped-def]
    facts = ledger(preset, events)
    report = reconcile(facts)

    assert report.differences == []
    check_reconciled(report)
    for line in report.channels:
        assert line.cast == line.counted + line.invalid + line.set_aside + line.replaced
    assert sum(line.counted + line.invalid for line in report.channels) == report.voters
    assert report.voters + report.not_voted == PLACES
    paper = report.paper
    assert paper.printed == (
        paper.returned + paper.spoiled + paper.unused + paper.kept + paper.late + paper.missing
    )
    assert paper.returned == sum(x.cast for x in report.channels if x.channel in ON_FORMS)
    proxies = report.proxies
    assert proxies.registered == proxies.used + proxies.revoked + proxies.idle
    shuffled = list(facts.casts)
    random.shuffle(shuffled)
    assert reconcile(replace(facts, casts=shuffled)) == report


def codes(facts: LedgerFacts) -> set[str]:
    return {one.code for one in reconcile(facts).differences}


@given(PRESETS, EVENTS, st.data())
def test_a_lost_form_is_always_found(preset, events, data) -> None:  # type: ignore[no-untyped-def]
    facts = ledger(preset, events)
    lost = data.draw(st.sampled_from(sorted(facts.paper.fates)))
    fates = {form: fate for form, fate in facts.paper.fates.items() if form != lost}
    report = reconcile(replace(facts, paper=replace(facts.paper, fates=fates)))

    assert "forms_accounted" in {one.code for one in report.differences}
    assert report.paper.unaccounted == 1
    with pytest.raises(PollDoesNotReconcile):
        check_reconciled(report)


@given(PRESETS, EVENTS, st.data())
def test_a_ballot_that_is_dropped_or_added_is_always_found(preset, events, data) -> None:  # type: ignore[no-untyped-def]
    facts = ledger(preset, events)
    extra = CastFact(
        data.draw(st.integers(1, PLACES)),
        99,
        data.draw(st.sampled_from(CHANNELS)),
        valid=True,
        set_aside=False,
    )
    added = codes(replace(facts, casts=[*facts.casts, extra]))
    stood = any(cast.place == extra.place for cast in facts.casts)
    told = extra.channel in (*ON_FORMS, BallotChannel.ASSISTED)
    if not stood or told:  # a silent swap of one's own electronic vote is for the board to find
        assert added
    if facts.casts:
        gone = data.draw(st.sampled_from(range(len(facts.casts))))
        dropped = facts.casts[gone]
        rest = [cast for index, cast in enumerate(facts.casts) if index != gone]
        alone = sum(cast.place == dropped.place for cast in facts.casts) == 1
        if alone or dropped.channel in (*ON_FORMS, BallotChannel.ASSISTED):
            assert codes(replace(facts, casts=rest))


BASE = ledger(
    LIFT,
    [
        (1, BallotChannel.PAPER, True, "used"),
        (2, BallotChannel.ELECTRONIC, True, "used"),
        (3, BallotChannel.ASSISTED, True, "used"),
        (4, BallotChannel.PROXY, True, "used"),
    ],
)


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        (replace(BASE, turnout=5), "turnout"),
        (replace(BASE, counted=5), "counted"),
        (replace(BASE, invalid=1), "invalid"),
        (replace(BASE, assisted=0), "assistance"),
        (replace(BASE, mandates=()), "mandates"),
        (replace(BASE, paper=replace(BASE.paper, issued=frozenset())), "forms_issued"),
        (replace(BASE, paper=replace(BASE.paper, entered=frozenset())), "forms_entered_twice"),
        (replace(BASE, paper=replace(BASE.paper, printed=5)), "forms_accounted"),
        (replace(BASE, paper=replace(BASE.paper, issued=frozenset({1, 2}))), "forms_unused"),
        (replace(BASE, casts=BASE.casts[1:]), "forms_in_ledger"),
        (replace(BASE, eligible=3), "more_than_entitled"),
        (replace(BASE, by_hand=6, counted=10), "more_than_entitled"),
        (
            replace(BASE, casts=[*BASE.casts, CastFact(5, 1, BallotChannel.PAPER, True, True)]),
            "voters",
        ),
    ],
)
def test_every_comparison_finds_what_it_is_for(facts: LedgerFacts, code: str) -> None:
    assert codes(BASE) == set()
    assert code in codes(facts)


# ---- paper of a confidential poll ---------------------------------------------------------------

SEALED = st.lists(
    st.tuples(
        st.sampled_from(
            ["phone", "paper", "home_visit", "set_aside", "replaced", "kept", "nothing"]
        ),
        st.booleans(),  # readable
    ),
    max_size=PLACES,
)


def sealed_ledger(voters: Sequence[tuple[str, bool]]) -> LedgerFacts:
    """What becomes of each voter in turn, whose form has the number of their place."""
    casts: list[CastFact] = []
    fates: dict[int, FormFate] = {}
    sheets: dict[int, bool] = {}
    for place, (became, readable) in enumerate(voters, 1):
        if became == "nothing":
            fates[place] = FormFate.UNUSED
            continue
        fates[place] = FormFate.RETURNED
        if became in ("phone", "kept"):
            fates[place] = FormFate.KEPT
        if became in ("set_aside", "replaced"):
            aside = became == "set_aside"
            casts.append(CastFact(place, 0, BallotChannel.PAPER, valid=True, set_aside=aside))
        if became != "kept":
            on_paper = became in ("paper", "home_visit")
            channel = BallotChannel(became) if on_paper else BallotChannel.ELECTRONIC
            casts.append(CastFact(place, 1, channel, valid=True, set_aside=False))
            if on_paper:
                sheets[len(sheets) + 1] = readable
    standing = sum(cast.cast_no for cast in casts)
    issued = frozenset(form for form, fate in fates.items() if fate is not FormFate.UNUSED)
    return LedgerFacts(
        eligible=PLACES,
        casts=casts,
        assisted=0,
        turnout=standing,
        paper=PaperFacts(printed=len(voters), issued=issued, fates=fates, sheets=sheets),
        counted=standing,
        came_invalid=sum(not readable for readable in sheets.values()),
        recorded=standing + sum(became == "replaced" for became, _ in voters),
        replaced=sum(became == "replaced" for became, _ in voters),
    )


@given(SEALED)
def test_envelopes_on_paper_and_their_sheets_add_up(voters: list[tuple[str, bool]]) -> None:
    facts = sealed_ledger(voters)
    report = reconcile(facts)
    assert report.differences == []
    assert report.sheets is not None
    stand = sum(became in ("paper", "home_visit") for became, _ in voters)
    assert (report.sheets.envelopes, report.sheets.entered) == (stand, stand)
    assert report.envelopes is not None
    assert report.envelopes.opened == report.envelopes.recorded - report.envelopes.replaced
    assert report.envelopes.replaced == sum(line.replaced for line in report.channels)
    given_back = ("paper", "home_visit", "set_aside", "replaced")
    assert report.paper.returned == sum(became in given_back for became, _ in voters)


@given(SEALED)
def test_a_lost_sheet_form_or_envelope_is_found(voters: list[tuple[str, bool]]) -> None:
    facts = sealed_ledger([("paper", False), *voters[1:]])
    paper = facts.paper
    more = {**(paper.sheets or {}), PLACES + 1: True}
    fewer = {number: read for number, read in (paper.sheets or {}).items() if number > 1}
    kept = {**paper.fates, 1: FormFate.KEPT}
    assert facts.came_invalid is not None
    assert facts.recorded is not None
    for changed, code in (
        (replace(facts, paper=replace(paper, sheets=more)), "sheets"),
        (replace(facts, paper=replace(paper, sheets=fewer)), "sheets"),
        (replace(facts, paper=replace(paper, fates=kept)), "forms_in_ledger"),
        (replace(facts, paper=replace(paper, issued=paper.issued - {1})), "forms_issued"),
        (replace(facts, came_invalid=facts.came_invalid - 1), "sheets_invalid"),
        (replace(facts, casts=facts.casts[1:]), "forms_in_ledger"),
        (replace(facts, recorded=facts.recorded + 1), "envelopes"),
        (replace(facts, recorded=facts.recorded - 1), "envelopes"),
    ):
        assert code in [one.code for one in reconcile(changed).differences], code
