"""Every operation × every kind of stranger: what belongs to a community stays there (trust T01).

The table is generated from the contract, so that a new operation is in it from its first day. A
stranger may read what is public and write nothing, but for what everybody does with their own
account.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import httpx
import pytest

from api import contract
from api.openapi import operations
from consultation.database import Database
from consultation.permissions import Role
from tests.contract.bodies import smallest
from tests.contract.seeded import Seed, seed
from tests.pictures import a_picture
from tests.world import World

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

FOR_EVERYBODY = {
    "log_in_with_wechat",
    "log_in_with_h5",
    "refresh_session",
    "log_out",
    "bind_phone",
    "send_phone_code",
    "log_in_with_phone",
    "bind_phone_by_code",
    "end_my_session",
    "claim_residence",  # how a stranger stops being one: somebody checks it
    "follow_topic",
    "unfollow_topic",
    "report_subscription_answers",
    "set_notice_settings",
}
"""Writes that anybody may make, whoever they are."""

OFFICES = (
    Role.REPRESENTATIVE,
    Role.GRID_WORKER,
    Role.CLERK,
    Role.PARTY_SECRETARY,
    Role.COMMITTEE_HEAD,
    Role.HOST,
    Role.TELLER,
    Role.SUPERVISOR,
    Role.GOVERNMENT,
    Role.SYSTEM_ADMIN,
)
"""Roles that may write, which the neighbour holds elsewhere."""
READERS = (Role.GRID_WORKER, Role.CLERK, Role.SUPERVISOR, Role.GOVERNMENT, Role.INSPECTOR)

PICTURE = a_picture()

REFUSED = {401, 403, 404}


@pytest.fixture
async def seeded(db: Database, world: World, client: httpx.AsyncClient) -> Seed:
    return await seed(db, world)


def strangers(seed: Seed, roles: Sequence[Role]) -> Iterator[tuple[str, dict[str, str]]]:
    world = seed.world
    yield "nobody", {"idempotency-key": "a key of nobody"}
    yield "visitor", world.headers("visitor")
    yield "neighbour", world.headers("neighbour")
    for role in roles:
        yield f"{role} elsewhere", world.headers("neighbour", role)


class Findings(dict[str, set[str]]):
    """What went wrong, by operation."""

    def note(self, operation: dict[str, Any], who: str, what: object) -> None:
        self.setdefault(operation["operationId"], set()).add(f"{who}: {what}")

    def check(self) -> None:
        lines = [f"{name}: {', '.join(sorted(found))}" for name, found in sorted(self.items())]
        assert not self, "\n" + "\n".join(lines)


def fill(path: str, addresses: dict[str, str]) -> str:
    return path.format_map(addresses)


def request_of(document: dict[str, Any], operation: dict[str, Any]) -> dict[str, Any]:
    """Query and body of a request that has the right shape."""
    request: dict[str, Any] = {}
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body is not None:
        request["json"] = smallest(body["schema"], document)
    if "multipart/form-data" in operation.get("requestBody", {}).get("content", {}):
        request |= {"data": {"alt": "楼道"}, "files": {"file": ("1.png", PICTURE)}}
    query = {
        parameter["name"]: smallest(parameter["schema"], document)
        for parameter in operation.get("parameters", ())
        if parameter.get("in") == "query" and parameter["required"]
    }
    return request | ({"params": query} if query else {})


async def test_strangers_write_nothing(client: httpx.AsyncClient, seeded: Seed) -> None:
    document = contract.openapi()
    wrong = Findings()
    for method, path, operation in operations(document):
        if method == "get" or operation["operationId"] in FOR_EVERYBODY:
            continue
        request = request_of(document, operation)
        for who, headers in strangers(seeded, OFFICES):
            answer = await client.request(
                method, fill(path, seeded.addresses), headers=headers, **request
            )
            if answer.status_code not in REFUSED:
                wrong.note(operation, who, answer.status_code)
    wrong.check()


async def test_strangers_read_nothing_that_is_not_public(
    client: httpx.AsyncClient, seeded: Seed
) -> None:
    document = contract.openapi()
    wrong = Findings()
    for method, path, operation in operations(document):
        if method != "get":
            continue
        request = request_of(document, operation)
        for who, headers in strangers(seeded, READERS):
            answer = await client.get(fill(path, seeded.addresses), headers=headers, **request)
            if answer.status_code not in REFUSED | {200}:
                wrong.note(operation, who, answer.status_code)
            for secret in seeded.secrets:
                if secret in answer.text:
                    wrong.note(operation, who, answer.text[answer.text.index(secret) :][:16])
    wrong.check()


async def test_a_topic_that_is_not_public_is_not_there_for_strangers(
    client: httpx.AsyncClient, seeded: Seed
) -> None:
    document = contract.openapi()
    hidden = seeded.addresses | {
        "topic_id": str(seeded.hidden.id),
        "stream_id": f"topic:{seeded.hidden.id}",
    }
    wrong = Findings()
    for method, path, operation in operations(document):
        if "{topic_id}" not in path and "{stream_id}" not in path:
            continue
        request = request_of(document, operation)
        for who, headers in strangers(seeded, READERS):
            answer = await client.request(method, fill(path, hidden), headers=headers, **request)
            barred = who == "nobody" and {} not in operation["security"]
            if answer.status_code != (401 if barred else 404):
                wrong.note(operation, who, answer.status_code)
    wrong.check()


async def test_every_path_parameter_leads_somewhere(seeded: Seed) -> None:
    document = contract.openapi()
    named = {
        parameter["name"]
        for _, _, operation in operations(document)
        for parameter in operation.get("parameters", ())
        if parameter.get("in") == "path"
    }
    assert named - seeded.addresses.keys() == set()
