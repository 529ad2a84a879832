"""The description of the live socket is valid AsyncAPI 3.0, complete, and what the socket does."""

import json
from typing import Any

import jsonschema_rs
import pytest
from pydantic import BaseModel

from api.asyncapi import EXAMPLES, FROM_CLIENT, FROM_SERVER, asyncapi, example
from api.live.closing import Close, Then, after
from api.words import LOCALES, catalogue
from consultation.events.every import every_event
from notifications import messages
from tests import node
from tests.live import validator


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return asyncapi()


@pytest.fixture(scope="module")
def official(pytestconfig: pytest.Config) -> jsonschema_rs.Validator:
    file = node.packages(pytestconfig) / "@asyncapi/specs/schemas/3.0.0.json"
    return jsonschema_rs.validator_for(json.loads(file.read_text("utf-8")))


def test_it_is_valid_by_the_official_schema(
    document: dict[str, Any], official: jsonschema_rs.Validator
) -> None:
    errors = [f"{list(error.instance_path)}: {error.message[:200]}" for error in
              official.iter_errors(document)]  # fmt: skip

    assert errors == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("operations", "hear", "action"), "publish"),
        (("asyncapi",), "2.6.0"),
        (("channels", "live", "messages", "hello"), {"$ref": 1}),
        (("components", "messages", "hello", "payloads"), {}),
    ],
)
def test_the_official_schema_finds_what_is_wrong(
    document: dict[str, Any], official: jsonschema_rs.Validator, path: tuple[str, ...], value: Any
) -> None:
    broken = json.loads(json.dumps(document))
    at = broken
    for part in path[:-1]:
        at = at[part]
    at[path[-1]] = value

    assert not official.is_valid(broken)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def references(part: Any) -> list[str]:
        match part:
            case {"$ref": str(target)}:
                return [target]
            case dict():
                return [one for value in part.values() for one in references(value)]
            case list():
                return [one for value in part for one in references(value)]
        return []

    for target in references(document):
        at = document
        for name in target.removeprefix("#/").split("/"):
            at = at[name]


def test_every_message_of_the_socket_is_described() -> None:
    shapes = {
        kind
        for kind in vars(messages).values()
        if isinstance(kind, type)
        and issubclass(kind, BaseModel)
        and "type" in kind.model_fields
        and kind.__module__ == messages.__name__
        and kind is not messages.Envelope
    }

    assert shapes == {*FROM_CLIENT, *FROM_SERVER}


def test_every_error_is_listed_with_the_close_that_follows_it(document: dict[str, Any]) -> None:
    listed = document["channels"]["live"]["x-error-codes"]
    code = document["components"]["schemas"]["Error"]["properties"]["code"]

    assert code == {"$ref": "#/components/schemas/ErrorCode"}
    assert set(listed) == set(document["components"]["schemas"]["ErrorCode"]["enum"])
    assert set(listed.values()) == {int(close) for close in Close if close >= Close.BAD_FRAME}
    assert listed["slow-down"] == Close.SLOW_DOWN
    assert not validator("error").is_valid({"type": "error", "code": "retry_after=60"})


def test_every_event_is_described_in_both_languages_with_an_example(
    document: dict[str, Any],
) -> None:
    types = {kind.type for kind in every_event()}
    described = {name for name in document["components"]["messages"] if "." in name}
    assert described == types
    for locale in LOCALES:
        keys = {key for key in catalogue(locale) if key.startswith("live.events.")}
        assert keys == {f"live.events.{type}" for type in types}
    for kind in every_event():
        frame = example(kind)
        assert validator(kind.type).is_valid(frame), kind.type
        if frame["data"]:
            assert not validator(kind.type).is_valid({**frame, "data": {}})
        envelope = messages.Envelope.model_validate(frame)
        assert envelope.data.keys() == frame["data"].keys()


def test_no_example_is_of_a_field_that_no_event_has() -> None:
    fields = {name for kind in every_event() for name in example(kind)["data"]}

    assert EXAMPLES.keys() - fields == set()


def test_every_close_code_has_exactly_one_answer(document: dict[str, Any]) -> None:
    live = document["channels"]["live"]
    ranges, answers = live["x-close-ranges"], live["x-close-answers"]
    for code in range(1000, 5000):
        found = [one["then"] for one in ranges if one["first"] <= code <= one["last"]]
        assert len(found) == 1, code
        assert found[0] in answers
        assert found == [after(code)]
    assert {one["then"] for one in ranges} == set(answers)
    assert {int(code) for code in live["x-close-codes"]} == set(Close)
    for code, named in live["x-close-codes"].items():
        assert named["then"] == after(int(code)), code


def test_what_a_retry_cannot_mend_is_not_retried(document: dict[str, Any]) -> None:
    """Written out: a client whose hello is too large must not come again for ever, nor must one
    that meets a 44xx which it does not know."""
    for code in (1000, 1002, 1003, 1007, 1008, 1009, 1010, 4400, 4403, 4409, 4426, 4407, 4444):
        assert after(code) is Then.STAY, code
    for code in (1001, 1005, 1006, 1011, 1013, 1014, 1015, 3000, 4000, 4408, 4500, 4999):
        assert after(code) is Then.RETURN, code
    assert after(1012) is Then.RETURN_WITHIN
    assert after(4401) is Then.REFRESH
    assert after(4410) is Then.RETURN_AT_ONCE
    assert after(4429) is Then.RETURN_AFTER
