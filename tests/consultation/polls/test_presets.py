import json
import tomllib
from datetime import UTC, date, datetime
from importlib import resources
from typing import Any

import jsonschema_rs
import pytest
from pydantic import ValidationError

from api.problems import problem_of
from api.words import LOCALES
from consultation.polls import terms
from consultation.polls.preset_files import file_schema, presets, procedures
from consultation.polls.presets import (
    Electorate,
    Measure,
    Procedure,
    QuestionKind,
    Recount,
    RulePreset,
    Silent,
    StepKind,
    Threshold,
    Verification,
)
from tests.consultation.polls.counting_cases import preset

FOLDER = resources.files("consultation.polls").joinpath("presets")
FILES = sorted(entry.name for entry in FOLDER.iterdir() if entry.name.endswith(".toml"))

HEADS_23 = ["heads ≥ 2/3 eligible"]
OWNERS = ["heads ≥ 2/3 eligible", "area ≥ 2/3 eligible"]
HALF = ["heads > 1/2 eligible"]
MEMBERS_23 = ["heads ≥ 2/3 members"]
OF_PRESENT = ["heads > 1/2 present"]
OF_CAST = ["heads > 1/2 votes_cast"]
CATALOGUE: dict[str, tuple[list[str], list[str], str]] = {
    # domain notes 4.3: turnout, approval, how sure
    "civil278_general": (
        OWNERS,
        ["heads > 1/2 participating", "area > 1/2 participating"],
        "verified",
    ),
    "civil278_special": (
        OWNERS,
        ["heads ≥ 3/4 participating", "area ≥ 3/4 participating"],
        "verified",
    ),
    "civil279_unanimous": (["heads ≥ 1/1 eligible"], ["heads ≥ 1/1 eligible"], "verified"),
    "lift_scope_owners": (
        OWNERS,
        ["heads ≥ 3/4 participating", "area ≥ 3/4 participating"],
        "secondary",
    ),
    "owners_committee_meeting": (["heads > 1/2 members"], ["heads > 1/2 members"], "secondary"),
    "urban_assembly_adults_2018": (HALF, OF_PRESENT, "verified"),
    "urban_assembly_households_2018": (HALF, OF_PRESENT, "verified"),
    "urban_assembly_groupreps_2018": (HALF, OF_PRESENT, "verified"),
    "urban_assembly_2026": (HALF, OF_PRESENT, "to_confirm"),
    "urban_reps_2026": (MEMBERS_23, OF_PRESENT, "to_confirm"),
    "village_assembly_adults": (HALF, OF_PRESENT, "verified"),
    "village_assembly_households": (HEADS_23, OF_PRESENT, "verified"),
    "village_reps": (MEMBERS_23, OF_PRESENT, "verified"),
    "village_group": (HEADS_23, OF_PRESENT, "verified"),
    "village_election": (HALF, OF_CAST, "verified"),
    "village_runoff": (HALF, ["heads ≥ 1/3 votes_cast"], "verified"),
    "village_recall": (HALF, OF_CAST, "verified"),
    "urban_election_2026": (HALF, OF_CAST, "to_confirm"),
    "council_recommendation": (MEMBERS_23, ["heads > 1/2 members"], "product"),
    "household_poll": (HALF, ["heads > 1/2 participating"], "product"),
    "open_poll": ([], [], "product"),
    "fund_allocation": (MEMBERS_23, OF_PRESENT, "to_confirm"),
    "satisfaction": ([], [], "product"),
}


def said(thresholds: list[Threshold]) -> list[str]:
    return [
        f"{t.measure} {'≥' if t.inclusive else '>'} {t.numerator}/{t.denominator} {t.of}"
        for t in thresholds
    ]


def test_the_catalogue_holds_every_row_of_the_domain_notes_with_its_numbers() -> None:
    assert {
        one.id: (said(one.turnout), said(one.approval), one.verification.value)
        for one in presets().values()
    } == CATALOGUE
    assert {one.id for one in procedures().values()} == {"village_4y2g", "hearing"}


@pytest.mark.parametrize("name", FILES)
def test_every_file_keeps_the_schema(name: str) -> None:
    content = tomllib.loads(FOLDER.joinpath(name).read_text("utf-8"))
    plain = json.loads(json.dumps(content, default=str))

    jsonschema_rs.validator_for(file_schema()).validate(plain)
    with pytest.raises(jsonschema_rs.ValidationError):
        jsonschema_rs.validator_for(file_schema()).validate(plain | {"threshold": "2/3"})


def test_the_schema_in_the_folder_is_the_one_of_the_model() -> None:
    kept = json.loads(FOLDER.joinpath("schema.json").read_text("utf-8"))

    assert kept == file_schema()


def test_every_preset_has_its_own_key_and_names_its_basis() -> None:
    for key, one in {**presets(), **procedures()}.items():
        assert key == f"{one.id}@{one.version.isoformat()}"
        assert all(one.legal_basis)
        assert one.effective_from == one.version


def test_a_preset_that_claims_law_cites_a_law() -> None:
    for one in [*presets().values(), *procedures().values()]:
        if one.verification is Verification.VERIFIED:
            assert any("《" in source for source in one.legal_basis)


def test_a_stored_preset_is_read_back_unchanged() -> None:
    for one in presets().values():
        assert RulePreset.model_validate(one.model_dump(mode="json")) == one
    for way in procedures().values():
        assert Procedure.model_validate(way.model_dump(mode="json")) == way


def test_only_owners_count_area_and_only_they_may_deem_the_silent() -> None:
    for one in presets().values():
        assert (Measure.AREA in one.measures) <= (one.layer == "owners")
        assert one.silent is Silent.NOT_PARTICIPATING
    assert {one.id for one in presets().values() if one.may_deem} == {
        "civil278_general",
        "civil278_special",
    }


def test_elections_are_never_named_and_count_invalid_ballots_as_cast() -> None:
    for one in presets().values():
        if QuestionKind.ELECTION in one.questions and one.layer == "assembly":
            assert one.modes == ["confidential"]
            assert one.invalid == "participating"


def test_every_rule_that_binds_has_close_results_counted_again() -> None:
    """Domain 4.4: at three ballots or half a percent from its bound, whichever is more."""
    binding = [one for one in presets().values() if one.binding]

    assert len(binding) >= 19
    assert {one.key for one in binding if one.recount != Recount(ballots=3, share="1/200")} == set()


def test_objections_to_a_roll_are_over_before_the_poll_opens() -> None:
    open_to_objections = [one for one in presets().values() if one.roll_objection_days]

    assert {(one.roll_objection_days, one.roll_ruling_days) for one in open_to_objections} == {
        (5, 3)
    }
    assert all(one.notice_days >= 8 for one in open_to_objections)
    assert {"village_election", "civil278_general", "civil278_special"} <= {
        one.id for one in open_to_objections
    }


def test_the_old_law_of_residents_ended_with_2025() -> None:
    old = [one for one in presets().values() if one.id.endswith("_2018")]

    assert len(old) == 3
    for one in old:
        assert one.effective_on(date(2025, 12, 31))
        assert not one.effective_on(date(2026, 1, 1))


def test_four_deliberations_and_two_publications_name_presets_and_keep_the_party_out() -> None:
    way = next(one for one in procedures().values() if one.id == "village_4y2g")

    assert [step.kind for step in way.steps] == [
        StepKind.RECORDED,
        StepKind.RECORDED,
        StepKind.RECORDED,
        StepKind.POLL,
        StepKind.PUBLICATION,
        StepKind.PUBLICATION,
    ]
    assert way.steps[2].electorate is Electorate.PARTY_MEMBERS
    assert said(way.steps[2].turnout) == MEMBERS_23
    known = {one.id for one in presets().values()}
    for one in procedures().values():
        for step in one.steps:
            assert set(step.presets) <= known


@pytest.mark.parametrize(
    "change",
    [
        {"presets": ["village_reps"]},
        {"kind": "poll"},
        {"kind": "poll", "presets": ["village_reps"], "electorate": "villagers"},
    ],
)
def test_a_step_is_a_poll_by_a_preset_or_has_numbers_of_its_own(change: dict[str, Any]) -> None:
    way = next(one for one in procedures().values() if one.id == "village_4y2g")
    content = way.model_dump(mode="json")
    content["steps"][2] |= change

    with pytest.raises(ValidationError):
        Procedure.model_validate(content)


@pytest.mark.parametrize(
    ("words", "sound"),
    [
        ({"at_least": "2/3"}, True),
        ({"more_than": "1/2"}, True),
        ({"at_least": "4/3"}, False),
        ({"at_least": "0/3"}, False),
        ({"at_least": "2/0"}, False),
        ({"at_least": "0.67"}, False),
        ({"at_least": "2/3", "more_than": "1/2"}, False),
        ({}, False),
        ({"at_least": "2/3", "measure": "area", "of": "present"}, False),
    ],
)
def test_a_threshold_is_one_exact_fraction(words: dict[str, str], sound: bool) -> None:
    given = {"measure": "heads", "of": "eligible"} | words
    if sound:
        Threshold.model_validate(given)
    else:
        with pytest.raises(ValidationError):
            Threshold.model_validate(given)


@pytest.mark.parametrize(
    "change",
    [
        {"measures": ["heads"]},
        {"turnout": []},
        {"approval": []},
        {"approval": [{"measure": "heads", "of": "present", "more_than": "1/2"}]},
        {"extensions": 2},
        {"window_days_default": 61},
        {"legal_basis": []},
        {"unknown": 1},
        {"electorate": "party_members"},
        {"notice_days": 7},  # objections and their ruling take eight
        {"layer": "assembly"},  # where silence never counts
        {"approval": [{"measure": "heads", "of": "eligible", "at_least": "1/1"}]},
    ],
)
def test_an_unsound_preset_is_refused(change: dict[str, Any]) -> None:
    given = preset("civil278_special").model_dump(mode="json")
    RulePreset.model_validate(given)

    with pytest.raises(ValidationError):
        RulePreset.model_validate(given | change)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text + "+08:00")


@pytest.mark.parametrize(
    ("moment", "effective"),
    [("2025-12-31T23:59:59", False), ("2026-01-01T00:00:00", True), ("2026-03-11T09:00:00", True)],
)
def test_a_preset_is_in_force_from_its_day_in_shanghai(moment: str, effective: bool) -> None:
    now = at(moment).astimezone(UTC)
    if effective:
        terms.check_effective(preset("urban_reps_2026"), now)
    else:
        with pytest.raises(terms.PresetNotEffective):
            terms.check_effective(preset("urban_reps_2026"), now)


def test_the_last_day_of_a_preset_is_still_in_force() -> None:
    one = preset("village_reps").model_copy(update={"effective_to": date(2025, 12, 31)})

    terms.check_effective(one, at("2025-12-31T23:59:59"))
    with pytest.raises(terms.PresetNotEffective):
        terms.check_effective(one, at("2026-01-01T00:00:00"))


def test_a_binding_preset_with_unconfirmed_numbers_warns_and_must_be_confirmed() -> None:
    warned = {one.id for one in presets().values() if terms.warnings(one)}
    assert warned == {
        "urban_reps_2026",
        "urban_assembly_2026",
        "urban_election_2026",
        "fund_allocation",
    }
    for one in presets().values():
        terms.check_confirmed(one, confirmed=True)
        if one.id not in warned:
            terms.check_confirmed(one, confirmed=False)
            continue
        with pytest.raises(terms.PresetNeedsConfirmation):
            terms.check_confirmed(one, confirmed=False)
        indicative = terms.as_announced(one, legal_system_of_record=False)
        terms.check_confirmed(indicative, confirmed=False)


def test_a_procedure_is_not_the_rule_of_a_poll() -> None:
    with pytest.raises(terms.PresetNotPolled):
        terms.find_preset("village_4y2g@2026-01-01")
    with pytest.raises(terms.UnknownPreset):
        terms.find_preset("village_4y2g@1999-01-01")


@pytest.mark.parametrize("key", ["household_poll", "household_poll@1999-01-01", "houshold_pol", ""])
def test_who_names_no_edition_of_a_rule_is_told_which_there_are(key: str) -> None:
    with pytest.raises(terms.UnknownPreset) as refused:
        terms.find_preset(key)
    near = refused.value.facts["near"]
    assert 1 <= len(near) <= terms.NEAR
    if key:
        assert near[0] == "household_poll@2026-01-01"
    for locale in LOCALES:
        assert near[0] in problem_of(refused.value, locale).detail
