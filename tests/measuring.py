"""Counts the SQL statements of each request of the ``client`` fixture: routes have budgets."""

from collections.abc import Mapping

import httpx
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.routes import ROUTERS
from tests.contract.budgets import BUDGETS

statements: dict[str, int] = {}
"""By route name: the most statements that a request answered without an error has used."""


class Measured(httpx.AsyncBaseTransport):
    """The application over ASGI. A request that costs more than its route may, fails its test."""

    def __init__(self, app: ASGIApp, *, address: str = "127.0.0.1") -> None:
        self._app = app
        self._address = address

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        scopes: list[Scope] = []

        async def serve(scope: Scope, receive: Receive, send: Send) -> None:
            scopes.append(scope)
            await self._app(scope, receive, send)

        inner = httpx.ASGITransport(serve, raise_app_exceptions=False, client=(self._address, 123))
        answer = await inner.handle_async_request(request)
        name = getattr(scopes[0].get("route"), "name", None)
        if name is not None:
            check(name, scopes[0]["statements"][0], success=answer.status_code < 400)
        return answer


class Counted:
    """The application as a server runs it: what is asked of it there counts as called, and its
    statements for the most that a route has used."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app
        self.state = app.state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status = 500

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        await self._app(scope, receive, watch)
        name = getattr(scope.get("route"), "name", None)
        if name is not None and status < 400:
            merge({name: scope["statements"][0]})


def check(name: str, count: int, *, success: bool) -> None:
    if success:
        merge({name: count})
    most = BUDGETS.get(name)
    assert most is None or count <= most, (
        f"{name} used {count} SQL statements, its budget is {most}"
    )


def merge(more: Mapping[str, int]) -> None:
    for name, count in more.items():
        statements[name] = max(count, statements.get(name, 0))


def routes() -> list[str]:
    """The names of all routes; those in the contract are the operation ids."""
    return [
        route.name for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)
    ]


def never_called() -> list[str]:
    return sorted(set(routes()) - statements.keys())
