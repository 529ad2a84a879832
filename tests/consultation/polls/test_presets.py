from datetime import UTC, date, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from consultation.polls import terms
from consultation.polls.presets import RulePreset, Threshold, Verification, presets
from tests.consultation.polls.counting_cases import preset


def test_the_catalogue_holds_the_presets_of_this_release() -> None:
    assert {one.id for one in presets().values()} == {
        "civil278_general",
        "civil278_special",
        "lift_scope_owners",
        "urban_reps_2026",
        "household_poll",
        "fund_allocation",
        "open_poll",
        "village_reps",
    }


def test_every_preset_has_its_own_key_and_names_its_basis() -> None:
    for key, one in presets().items():
        assert key == f"{one.id}@{one.version.isoformat()}"
        assert all(one.legal_basis)


def test_a_preset_that_claims_law_cites_a_law() -> None:
    for one in presets().values():
        if one.verification is Verification.VERIFIED:
            assert any("《" in source for source in one.legal_basis)


def test_a_stored_preset_is_read_back_unchanged() -> None:
    for one in presets().values():
        assert RulePreset.model_validate(one.model_dump(mode="json")) == one


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


def test_a_binding_preset_with_unconfirmed_numbers_warns() -> None:
    assert {one.id: terms.warnings(one) for one in presets().values() if terms.warnings(one)} == {
        "urban_reps_2026": ["preset_to_confirm"],
        "fund_allocation": ["preset_to_confirm"],
    }
