"""``client-spec/`` says what the program does, in a form that every client can use."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from api import contract
from api.openapi import operations

CLIENT_SPEC = Path(__file__).parents[2] / "client-spec"

NATURAL_KEY: Mapping[str, str] = {
    "log_in_with_wechat": "a code works once; sent again within a minute it answers again",
    "log_in_with_h5": "a code works once; sent again within a minute it answers again",
    "refresh_session": "a token works once; a second use must end the session (RFC 9700)",
    "add_photo": "the same file again is the same photo",
    "bind_phone": "a code works once; a person has one phone, however often they bind it",
}
"""POST operations that need no Idempotency-Key, each with the reason why a retry is harmless."""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return contract.openapi()


def test_the_exported_contract_is_what_the_program_does() -> None:
    assert contract.stale(CLIENT_SPEC) == [], "run `minyi contract` and review the change"


def test_a_contract_that_differs_is_found(tmp_path: Path) -> None:
    contract.export(tmp_path)
    assert contract.stale(tmp_path) == []

    file = tmp_path / "problems.json"
    file.write_text(file.read_text("utf-8").replace("404", "410", 1), "utf-8")
    (tmp_path / "events.json").unlink()

    assert contract.stale(tmp_path) == ["problems.json", "events.json"]


def test_it_is_openapi_3_1_at_a_relative_address(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    assert document["servers"] == [{"url": "/"}]


def test_operation_ids_are_good_and_unique_method_names(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]

    assert len(set(names)) == len(names)
    assert [name for name in names if not re.fullmatch(r"[a-z]+(_[a-z0-9]+)*", name)] == []


def test_schemas_have_good_and_unique_class_names(document: dict[str, Any]) -> None:
    names = document["components"]["schemas"]

    assert [name for name in names if not re.fullmatch(r"[A-Z][A-Za-z0-9]+", name)] == []


def test_no_operation_needs_patch_which_mini_programs_have_not(document: dict[str, Any]) -> None:
    assert [path for method, path, _ in operations(document) if method == "patch"] == []


def test_every_post_is_safe_to_retry(document: dict[str, Any]) -> None:
    key = {"$ref": "#/components/parameters/IdempotencyKey"}
    without = {
        operation["operationId"]
        for method, _, operation in operations(document)
        if method == "post" and key not in operation.get("parameters", ())
    }

    assert without == NATURAL_KEY.keys()


def test_every_refusal_has_the_shape_of_a_problem(document: dict[str, Any]) -> None:
    for _, path, operation in operations(document):
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                assert response == {"$ref": f"#/components/responses/Problem{status}"}, path
    for response in document["components"]["responses"].values():
        assert response["content"] == {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
        }
    statuses = {problem["status"] for problem in contract.problems().values()}
    documented = {int(name[-3:]) for name in document["components"]["responses"]}
    assert statuses - documented == {405, 500}, "these any HTTP client meets anywhere"


def test_tokens_are_a_security_scheme_and_not_a_parameter(document: dict[str, Any]) -> None:
    for _, path, operation in operations(document):
        for parameter in operation.get("parameters", ()):
            assert parameter.get("name", "").lower() != "authorization", path
    assert document["components"]["securitySchemes"]["accessToken"]["scheme"] == "bearer"


def test_bodies_refuse_fields_that_they_do_not_know(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for _, path, operation in operations(document):
        body = operation.get("requestBody", {}).get("content", {}).get("application/json")
        if body is not None:
            name = body["schema"]["$ref"].rsplit("/", 1)[1]
            assert schemas[name].get("additionalProperties") is False, (path, name)
