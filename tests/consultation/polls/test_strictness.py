"""A place may ask more than the law, never less."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from consultation.polls.preset_files import PresetsUnusable, override, presets, use_local
from consultation.polls.presets import Recount, RulePreset
from consultation.polls.strictness import FREE, JUDGED, looser, stricter
from tests.consultation.polls.counting_cases import preset

LOCAL = {"version": "2026-03-01", "effective_from": "2026-03-01"}


def own(name: str, change: dict[str, Any]) -> RulePreset:
    base = preset(name).model_dump(mode="json")
    changed = {key: (base[key] | value if key == "proxies" else value)
               for key, value in change.items()}  # fmt: skip
    return RulePreset.model_validate(base | LOCAL | changed)


def heads(bound: str, fraction: str, of: str = "participating") -> dict[str, str]:
    return {"measure": "heads", "of": of, bound: fraction}


def area(bound: str, fraction: str, of: str = "participating") -> dict[str, str]:
    return {"measure": "area", "of": of, bound: fraction}


SPECIAL, GENERAL, REPS = "civil278_special", "civil278_general", "urban_reps_2026"
A34, H34 = area("at_least", "3/4"), heads("at_least", "3/4")
E23 = [heads("at_least", "2/3", "eligible"), area("at_least", "2/3", "eligible")]


@pytest.mark.parametrize(
    ("name", "change", "fields"),
    [
        (SPECIAL, {}, []),
        # thresholds: higher, equal, lower
        (SPECIAL, {"approval": [heads("at_least", "4/5"), A34]}, []),
        (SPECIAL, {"approval": [heads("more_than", "3/4"), A34]}, []),
        (SPECIAL, {"approval": [heads("at_least", "6/8"), A34]}, []),
        (SPECIAL, {"approval": [heads("at_least", "2/3"), A34]}, ["approval"]),
        (SPECIAL, {"approval": [heads("at_least", "749/1000"), A34]}, ["approval"]),
        (SPECIAL, {"approval": [H34]}, ["approval"]),
        (SPECIAL, {"approval": [A34]}, ["approval"]),
        (SPECIAL, {"approval": [heads("at_least", "1/1"), area("at_least", "1/1")],
                   "may_deem": False}, []),
        # one more threshold is allowed, also of the whole
        (SPECIAL, {"approval": [H34, A34, heads("more_than", "1/2", "eligible")]}, []),
        (SPECIAL, {"approval": [heads("at_least", "3/4", "eligible"), A34]}, []),
        (SPECIAL, {"approval": [heads("more_than", "1/2", "eligible"), A34]}, ["approval"]),
        # a strict bound is not loosened
        (GENERAL, {"approval": [heads("at_least", "1/2"), area("more_than", "1/2")]}, ["approval"]),
        (GENERAL, {"approval": [heads("at_least", "501/1000"), area("more_than", "1/2")]}, []),
        (REPS, {"approval": [heads("at_least", "1/2", "present")]}, ["approval"]),
        (REPS, {"approval": [heads("at_least", "2/3", "present")]}, []),
        (REPS, {"approval": [heads("more_than", "1/2", "members")]}, []),
        (REPS, {"approval": [heads("at_least", "1/2", "members")]}, ["approval"]),
        (REPS, {"turnout": [heads("at_least", "3/4", "members")]}, []),
        (REPS, {"turnout": [heads("more_than", "1/2", "members")]}, ["turnout"]),
        (SPECIAL, {"turnout": [E23[0]]}, ["turnout"]),
        (SPECIAL, {"turnout": [*E23, heads("at_least", "4/5", "eligible")]}, []),
        ("open_poll", {"turnout": [heads("more_than", "1/2", "eligible")]}, []),
        ("open_poll", {"approval": [heads("more_than", "1/2")]}, ["approval"]),
        # windows are not shorter
        (SPECIAL, {"window_days_min": 7}, []),
        (SPECIAL, {"window_days_min": 4}, ["window_days_min"]),
        (SPECIAL, {"window_days_default": 10}, []),
        (SPECIAL, {"window_days_default": 6}, ["window_days_default"]),
        (SPECIAL, {"window_days_max": 30}, []),
        (SPECIAL, {"window_days_max": 61}, ["window_days_max"]),
        (SPECIAL, {"extensions": 0}, []),
        ("open_poll", {"turnout": [heads("at_least", "1/2", "eligible")], "extensions": 1},
         ["extensions"]),
        (SPECIAL, {"notice_days": 20}, []),
        (SPECIAL, {"notice_days": 14}, ["notice_days"]),
        (SPECIAL, {"objection_days": 10}, []),
        (SPECIAL, {"objection_days": 6}, ["objection_days"]),
        (SPECIAL, {"roll_objection_days": 7}, []),
        (SPECIAL, {"roll_objection_days": 4}, ["roll_objection_days"]),
        (SPECIAL, {"roll_ruling_days": 2}, []),
        (SPECIAL, {"roll_ruling_days": 4}, ["roll_ruling_days"]),
        # channels, modes and questions may be taken away, but not paper, nor that one is unnamed
        (SPECIAL, {"channels": ["electronic", "paper"]}, []),
        (SPECIAL, {"channels": ["electronic", "show_of_hands"]}, ["channels", "channels.paper"]),
        (REPS, {"modes": ["confidential"]}, []),
        ("village_election", {"modes": ["named"]}, ["modes", "modes.confidential"]),
        (REPS, {"modes": ["named"]}, ["modes.confidential"]),
        ("satisfaction", {"modes": ["named"]}, ["modes.confidential"]),
        ("satisfaction", {"modes": ["named", "confidential"]}, ["modes.confidential"]),
        ("household_poll", {"modes": ["confidential", "named"]}, []),
        (SPECIAL, {"channels": ["electronic"]}, ["channels.paper"]),
        (GENERAL, {"questions": ["motion"]}, []),
        (SPECIAL, {"questions": ["motion", "election"]}, ["questions"]),
        # proxies
        (SPECIAL, {"proxies": {"max_principals": 0}}, []),
        (SPECIAL, {"proxies": {"max_principals": 4}}, ["proxies.max_principals"]),
        (SPECIAL, {"proxies": {"relatives_only": True}}, []),
        ("village_election", {"proxies": {"relatives_only": False}}, ["proxies.relatives_only"]),
        ("village_election", {"proxies": {"holder_on_roll": False}}, ["proxies.holder_on_roll"]),
        (SPECIAL, {"proxies": {"holder_on_roll": True}}, []),
        (SPECIAL, {"proxies": {"instructions_binding": False}}, ["proxies.instructions_binding"]),
        # what people may do again, see, or be counted as
        (SPECIAL, {"revote": "none"}, []),
        ("lift_scope_owners", {"revote": "last_valid_before_close"}, ["revote"]),
        (SPECIAL, {"duplicates": "paper_prevails"}, []),
        (SPECIAL, {"live_turnout": False}, []),
        (REPS, {"live_turnout": True}, ["live_turnout"]),
        (SPECIAL, {"may_deem": False}, []),
        ("lift_scope_owners", {"may_deem": True}, ["may_deem"]),
        (SPECIAL, {"silent": "deemed_majority"}, ["silent"]),
        (SPECIAL, {"invalid": "participating"}, ["invalid"]),
        ("village_election", {"invalid": "not_participating"}, ["invalid"]),
        (SPECIAL, {"area_includes_parking": False}, []),
        ("lift_scope_owners", {"conditions": []}, ["conditions"]),
        (SPECIAL, {"conditions": ["consent_of_used_parts"]}, []),
        (SPECIAL, {"served_min": "2/3"}, []),
        ("village_election", {"contested": False}, ["contested"]),
        ("village_runoff", {"contested": True}, []),
        # the whole building of 民法典 279 does not become one entrance
        ("civil279_unanimous", {"places": ["building"]}, []),
        ("civil279_unanimous", {"places": ["building", "entrance"]}, ["places"]),
        ("civil279_unanimous", {"places": []}, ["places"]),
        ("lift_scope_owners", {"places": ["entrance"]}, []),
        ("satisfaction", {"sample_min": 30}, []),
        ("satisfaction", {"sample_min": 9}, ["sample_min"]),
        # force, and which rule it is
        (SPECIAL, {"binding": False}, []),
        ("household_poll", {"binding": True}, ["binding"]),
        (REPS, {"verification": "verified"}, ["verification"]),
        ("village_runoff", {"runoff_of": None}, ["runoff_of"]),
        (SPECIAL, {"electorate": "owners_in_scope"}, ["electorate"]),
        ("household_poll", {"held_in_meeting": True}, ["held_in_meeting"]),
        ("household_poll", {"layer": "assembly"}, ["layer"]),
        ("village_reps", {"allocation": "budget_in_vote_order"}, ["allocation"]),
        (SPECIAL, {"id": "another"}, ["id"]),
        (SPECIAL, {"version": "2021-01-01"}, ["version"]),
        (SPECIAL, {"effective_from": "2021-01-01"}, ["effective_from"]),
        ("urban_assembly_adults_2018", {"effective_to": None}, ["effective_to"]),
        ("urban_assembly_adults_2018", {"effective_to": "2025-06-30"}, []),
        # several at once are all named
        (SPECIAL, {"notice_days": 10, "window_days_min": 1}, ["notice_days", "window_days_min"]),
    ],
)  # fmt: skip
def test_what_is_looser(name: str, change: dict[str, Any], fields: list[str]) -> None:
    local = own(name, change)

    assert looser(preset(name), local) == fields
    assert stricter(preset(name), local) is (not fields)


def test_a_share_of_served_voters_is_not_lowered() -> None:
    base = preset(SPECIAL).model_copy(update={"served_min": "2/3"})
    local = base.model_copy(
        update={"version": date(2026, 3, 1), "effective_from": date(2026, 3, 1)}
    )

    assert looser(base, local.model_copy(update={"served_min": "4/6"})) == []
    assert looser(base, local.model_copy(update={"served_min": "1/2"})) == ["served_min"]
    assert looser(base, local.model_copy(update={"served_min": None})) == ["served_min"]


def test_a_close_result_is_not_recounted_more_rarely() -> None:
    base = preset(SPECIAL)
    assert base.recount == Recount(ballots=3, share="1/200")
    local = base.model_copy(
        update={"version": date(2026, 3, 1), "effective_from": date(2026, 3, 1)}
    )

    for change, fields in (
        (Recount(ballots=5, share="1/100"), []),
        (Recount(ballots=2, share="1/100"), ["recount"]),
        (Recount(ballots=5, share="1/300"), ["recount"]),
        (None, ["recount"]),
    ):
        assert looser(base, local.model_copy(update={"recount": change})) == fields


def test_every_field_of_a_rule_is_judged_or_free() -> None:
    assert set(RulePreset.model_fields) == JUDGED | FREE
    assert not JUDGED & FREE


def test_a_rule_is_not_stricter_than_itself_without_a_version_of_its_own() -> None:
    for one in presets().values():
        assert looser(one, one) == ["effective_from", "version"]


def test_a_local_edition_takes_the_place_of_the_one_in_the_catalogue_from_its_day() -> None:
    known = override(presets(), [("own.toml", {
        "id": SPECIAL, "version": date(2026, 3, 1), "effective_from": date(2026, 4, 1),
        "notice_days": 20, "name_zh": "本小区特别事项",
    })])  # fmt: skip

    base, local = known[f"{SPECIAL}@2021-01-01"], known[f"{SPECIAL}@2026-03-01"]
    assert local.notice_days == 20
    assert local.name_zh == "本小区特别事项"
    assert local.approval == base.approval
    assert base.effective_on(date(2026, 3, 31))
    assert not local.effective_on(date(2026, 3, 31))
    assert not base.effective_on(date(2026, 4, 1))
    assert local.effective_on(date(2026, 4, 1))


def test_a_second_local_edition_is_held_against_the_first() -> None:
    first = {"id": SPECIAL, "version": date(2026, 3, 1), "effective_from": date(2026, 3, 1),
             "notice_days": 20}  # fmt: skip
    second = {"id": SPECIAL, "version": date(2026, 5, 1), "effective_from": date(2026, 5, 1),
              "notice_days": 16}  # fmt: skip

    with pytest.raises(PresetsUnusable, match="notice_days"):
        override(presets(), [("a.toml", first), ("b.toml", second)])


def write(folder: Path, text: str) -> Path:
    (folder / "own.toml").write_text(text, "utf-8")
    return folder


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('id = "civil278_special"\nversion = 2026-03-01\neffective_from = 2026-03-01\n'
         "notice_days = 3\nroll_objection_days = 0", "looser than civil278_special@2021-01-01"),
        ('id = "civil278_special"\nversion = 2026-03-01\n', "effective_from"),
        ('id = "our_own"\nversion = 2026-03-01\neffective_from = 2026-03-01', "no preset"),
        ('id = "civil278_special"\nversion = 2026-03-01\neffective_from = 2026-03-01\nfoo = 1',
         "foo"),
        ('id = "civil278_special"\nversion = 2026-03-01\neffective_from = 2026-03-01\n'
         'approval = [{ measure = "heads", of = "participating", at_least = "5/4" }]', "whole"),
        ("id = civil", "own.toml"),
    ],
)  # fmt: skip
def test_a_folder_with_a_rule_that_cannot_be_used_names_it(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(PresetsUnusable, match=said) as error:
        use_local(write(tmp_path, text))
    assert str(error.value).startswith("own.toml")
    assert f"{SPECIAL}@2026-03-01" not in presets()


def test_a_folder_of_stricter_rules_is_in_use_until_it_is_not(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        'id = "civil278_special"\nversion = 2026-03-01\neffective_from = 2026-03-01\n'
        'channels = ["electronic", "paper"]',
    )
    try:
        use_local(folder)
        assert presets()[f"{SPECIAL}@2026-03-01"].channels == ["electronic", "paper"]
        assert not presets()[f"{SPECIAL}@2021-01-01"].effective_on(date(2026, 3, 1))
    finally:
        use_local(None)
    assert f"{SPECIAL}@2026-03-01" not in presets()
    assert presets()[f"{SPECIAL}@2021-01-01"].effective_on(date(2026, 3, 1))


def test_there_must_be_a_folder(tmp_path: Path) -> None:
    with pytest.raises(PresetsUnusable, match="no folder"):
        use_local(tmp_path / "nowhere")
