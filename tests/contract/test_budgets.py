"""Every route has a budget of SQL statements, and the budget is checked on every request."""

import httpx
import pytest

from tests import measuring
from tests.contract.budgets import BUDGETS


def test_every_route_has_a_budget_and_nothing_else_has() -> None:
    assert sorted(measuring.routes()) == sorted(BUDGETS)


def test_no_budget_is_out_of_all_proportion() -> None:
    assert {name: most for name, most in BUDGETS.items() if most > 30} == {}


async def test_a_request_over_its_budget_fails_the_test_that_makes_it(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "BUDGETS", {"readyz": 0})

    with pytest.raises(AssertionError, match="readyz used"):
        await client.get("/readyz")
