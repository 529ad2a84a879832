"""Schemathesis invents requests from the contract; every answer must be one that the contract
promises, and none may be a fault of the server."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.core import NotSet
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api import contract
from consultation.database import Database
from consultation.permissions import Role
from tests.contract.seeded import seed
from tests.contract.test_access_matrix import Findings
from tests.fake_wechat import FakeWechat
from tests.world import World

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
EXAMPLES = 2
"""Invented requests for each operation; each is sent by each of the people."""


def invented(document: dict[str, Any]) -> Iterator[Case]:
    """The same requests on every run."""
    cases: list[Case] = []
    for found in schemathesis.openapi.from_dict(document).get_all_operations():

        @settings(
            max_examples=EXAMPLES,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=found.ok().as_strategy())
        def collect(case: Case) -> None:
            cases.append(case)

        collect()
    yield from cases


def request_of(case: Case, addresses: dict[str, str] | None) -> dict[str, Any]:
    """``addresses``: those of things that there are, in place of the invented ones."""
    path = {**(case.path_parameters or {})}
    if addresses is not None:
        path = {name: addresses[name] for name in path}
    quoted = {name: quote(str(value), safe="") for name, value in path.items()}
    request: dict[str, Any] = {"method": case.method, "url": case.path.format_map(quoted)}
    if case.query:
        request["params"] = case.query
    if not isinstance(case.body, NotSet):
        request["json"] = case.body
    return request


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
async def test_every_answer_is_one_that_the_contract_promises(
    client: httpx.AsyncClient, fake_wechat: FakeWechat, world: World, db: Database
) -> None:
    seeded = await seed(db, world)
    wrong = Findings()
    for case in invented(contract.openapi()):
        for who, role, addresses in (
            ("clerk", Role.CLERK, seeded.addresses),
            ("resident1", None, seeded.addresses),
            ("visitor", None, None),
        ):
            request = request_of(case, addresses)
            answer = await client.request(**request, headers=world.headers(who, role))
            try:
                case.validate_response(answer, checks=CHECKS)
            except FailureGroup as failures:
                operation = case.operation.definition.raw
                for failure in failures.exceptions:
                    wrong.note(operation, who, f"{answer.status_code} {failure}")
    wrong.check()
