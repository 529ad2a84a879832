"""Nothing that a person may meet is without words, in Chinese and in English."""

import re
from typing import Any

from api import contract
from api.words import catalogue
from consultation.events.every import every_event
from consultation.permissions import ALLOWED, Deed

NEVER_SHOWN = {"Reason"}
"""Enums in the contract that no client shows to a person: of the live protocol."""
GROUPS = {"Form": "meeting_form"}
"""Enums whose words stand under another name than theirs."""


def test_both_languages_have_the_same_texts_with_the_same_facts() -> None:
    chinese, english = catalogue("zh-CN"), catalogue("en")

    assert chinese.keys() ^ english.keys() == set()
    assert [
        key
        for key in chinese
        if contract.placeholders(chinese[key]) != contract.placeholders(english[key])
    ] == []
    assert [key for key in chinese if not chinese[key].strip() or not english[key].strip()] == []


def test_chinese_texts_are_chinese_and_english_ones_english() -> None:
    han = re.compile(r"[\u4e00-\u9fff]")

    assert [key for key, text in catalogue("zh-CN").items() if not han.search(text)] == []
    assert [key for key, text in catalogue("en").items() if han.search(text)] == []


def test_every_refusal_has_a_code_of_its_own_and_a_title_and_detail() -> None:
    codes = [kind.code for kind in contract.refusals()]
    assert sorted(codes) == sorted(set(codes))

    texts = catalogue("zh-CN")
    wanted = {f"problems.{code}.{part}" for code in codes for part in ("title", "detail")}
    assert wanted - texts.keys() == set()
    assert {key for key in texts if key.startswith("problems.")} - wanted == set()


def test_every_exception_to_the_advice_is_about_a_refusal_that_there_is() -> None:
    assert contract.EXCEPTIONS.keys() - {kind.code for kind in contract.refusals()} == set()


def test_every_enum_in_the_contract_has_words() -> None:
    schemas: dict[str, Any] = contract.openapi()["components"]["schemas"]
    enums = {name: schema["enum"] for name, schema in schemas.items() if "enum" in schema}
    texts = catalogue("zh-CN")

    assert [
        key
        for name, values in enums.items()
        if name not in NEVER_SHOWN
        for value in values
        if (key := f"words.{GROUPS.get(name) or _snake(name)}.{value}") not in texts
    ] == []
    assert NEVER_SHOWN - enums.keys() == set()


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def test_every_deed_is_allowed_to_somebody() -> None:
    assert [deed for deed in Deed if not ALLOWED.get(deed)] == []


def test_every_event_is_documented_under_a_type_of_its_own() -> None:
    types = [kind.type for kind in every_event()]

    assert sorted(types) == sorted(set(types))
    assert contract.events().keys() == set(types)
