"""People of the demo at their phones: they log in through WeChat and use the public API.

``Person.get/post/put/delete`` speak HTTP, send a fresh Idempotency-Key with each command, log in
again when the session has run out, and fail loudly when the answer is not the expected one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from api.demo.crowd import Crowd
from consultation.ids import NewId


class UnexpectedAnswer(Exception):
    """The API answered otherwise than the story says."""


@dataclass
class Person:
    """One person under one role, or as a resident when ``role`` is None."""

    name: str
    phone: str
    people: "People"
    role: str | None = None
    session: "Session | None" = None
    assignment_id: str | None = None

    async def get(self, path: str, *, expect: int = 200, **params: Any) -> Any:
        return await self._ask("GET", path, expect=expect, params=params)

    async def post(
        self, path: str, body: dict[str, Any] | None = None, *, expect: int | None = None
    ) -> Any:
        return await self._ask("POST", path, body=body, expect=expect)

    async def put(
        self, path: str, body: dict[str, Any] | None = None, *, expect: int | None = None
    ) -> Any:
        return await self._ask("PUT", path, body=body, expect=expect)

    async def delete(self, path: str, *, expect: int | None = None) -> Any:
        return await self._ask("DELETE", path, expect=expect)

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        body: dict[str, Any] | None = None,
        expect: int | None,
        params: dict[str, Any] | None = None,
    ) -> Any:
        answer = await self._send(method, path, body, params)
        if answer.status_code == 401:
            self.session = await self.people.log_in(self)
            answer = await self._send(method, path, body, params)
        good = answer.is_success if expect is None else answer.status_code == expect
        if not good:
            who = f"{self.name} ({self.role or 'resident'})"
            raise UnexpectedAnswer(
                f"{who}: {method} {path} {body}: {answer.status_code} {answer.text[:1500]}"
            )
        return answer.json() if answer.content else None

    async def _send(
        self, method: str, path: str, body: dict[str, Any] | None, params: dict[str, Any] | None
    ) -> httpx.Response:
        if self.session is None:
            self.session = await self.people.log_in(self)
        headers = {"authorization": f"Bearer {self.session.access_token}"}
        if self.role is not None:
            if self.assignment_id is None:
                self.session = await self.people.log_in(self)
                headers["authorization"] = f"Bearer {self.session.access_token}"
                self.assignment_id = await self.people.assignment_of(self)
            headers["minyi-role"] = self.assignment_id
        if method == "POST":
            headers["idempotency-key"] = self.people.new_id().hex
        url = path if path.startswith("/") else f"/v1/{path}"
        return await self.people.http.request(
            method, url, json=body, params=params or None, headers=headers
        )


@dataclass
class Session:
    access_token: str


@dataclass
class People:
    """Everybody, found by name; ``phones`` comes from the registers. ``crowd``: nobody without a
    name goes the way through WeChat, which takes four requests a person."""

    http: httpx.AsyncClient
    wechat: httpx.AsyncClient
    new_id: NewId
    phones: Mapping[str, str]
    crowd: Crowd | None = None
    logins: int = 0
    _known: dict[tuple[str, str | None], Person] = field(default_factory=dict)
    _bound: set[str] = field(default_factory=set)
    _ids: dict[str, str] = field(default_factory=dict)

    def one(self, name: str, role: str | None = None) -> Person:
        """A named person, who logs in through WeChat."""
        return self.by_phone(self.phones[name], name, role)

    def by_phone(self, phone: str, name: str | None = None, role: str | None = None) -> Person:
        """Somebody of the crowd, when ``name`` is None."""
        found = self._known.get((phone, role))
        if found is None:
            found = self._known[phone, role] = Person(name or "", phone, self, role)
        return found

    async def log_in(self, person: Person) -> Session:
        """Log in through WeChat and bind the phone, by which the register knows the person."""
        if not person.name and self.crowd is not None:
            return Session(self.crowd.access_token(person.phone))
        self.logins += 1
        openid = f"demo-{person.phone}"
        if openid not in self._bound:
            await self._fake("users", {"openid": openid, "phone": person.phone})
        code = await self._fake("login-code", {"openid": openid})
        session = await self._public("/v1/session/wechat", {"code": code["code"]})
        if openid not in self._bound:
            code = await self._fake("phone-code", {"openid": openid})
            bound = await self._public(
                "/v1/me/phone", {"code": code["code"]}, token=session["access_token"]
            )
            session = bound["session"] or session
            self._bound.add(openid)
        return Session(session["access_token"])

    async def assignment_of(self, person: Person) -> str:
        """The assignment under which the person acts in ``person.role``."""
        assert person.session is not None
        answer = await self.http.get(
            "/v1/me", headers={"authorization": f"Bearer {person.session.access_token}"}
        )
        answer.raise_for_status()
        roles = answer.json()["roles"]
        held = [role["assignment_id"] for role in roles if role["role"] == person.role]
        if not held:
            raise UnexpectedAnswer(f"{person.name} does not hold {person.role}: {roles}")
        return held[0]

    async def id_of(self, person: Person) -> str:
        if person.phone not in self._ids:
            self._ids[person.phone] = (await person.get("me"))["id"]
        return self._ids[person.phone]

    async def _fake(self, what: str, body: dict[str, Any]) -> Any:
        answer = await self.wechat.post(f"/__fake__/{what}", json=body)
        answer.raise_for_status()
        return answer.json()

    async def _public(self, path: str, body: dict[str, Any], *, token: str | None = None) -> Any:
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        answer = await self.http.post(path, json=body, headers=headers)
        if answer.status_code != 200:
            raise UnexpectedAnswer(f"POST {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json()
