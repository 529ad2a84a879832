"""``/cgi-bin/stable_token`` and ``/cgi-bin/token``: two families of access tokens, kept apart."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request

from api.fake_wechat.state import FakeWechat, Refused, check_app

LIFE = timedelta(seconds=7200)
OVERLAP = timedelta(seconds=300)
FORCED_APART = timedelta(seconds=30)
FORCED_PER_DAY = 20


@dataclass
class AccessTokens:
    fake: FakeWechat
    ends: dict[str, datetime] = field(default_factory=dict)
    dead: set[str] = field(default_factory=set)
    stable: str | None = None
    plain: str | None = None
    forced: list[datetime] = field(default_factory=list)

    def reset(self) -> None:
        self.ends.clear()
        self.dead.clear()
        self.forced.clear()
        self.stable = self.plain = None

    def kill(self) -> None:
        """Somebody elsewhere has forced a refresh: ours is dead before its time."""
        self.dead.update(self.ends)
        self.stable = None

    def check(self, token: str | None) -> None:
        if not token:
            raise Refused(41001)
        if token in self.dead:
            raise Refused(40001)
        if token not in self.ends:
            raise Refused(40014)
        if self.ends[token] <= self.fake.now():
            raise Refused(42001)

    def give_stable(self, *, force: bool) -> dict[str, object]:
        now = self.fake.now()
        fresh = self.stable is not None and self.ends[self.stable] - now > OVERLAP
        if force:
            self.forced = [at for at in self.forced if at > now - timedelta(days=1)]
            if len(self.forced) >= FORCED_PER_DAY:
                raise Refused(45009)
            if not self.forced or now - self.forced[-1] >= FORCED_APART:
                self.forced.append(now)
                if self.stable is not None:
                    self.dead.add(self.stable)
                fresh = False
        if not fresh:
            self.stable = self._mint()
        assert self.stable is not None
        left = int((self.ends[self.stable] - now).total_seconds())
        return {"access_token": self.stable, "expires_in": left}

    def give_plain(self) -> dict[str, object]:
        if self.plain is not None:
            self.ends[self.plain] = min(self.ends[self.plain], self.fake.now() + OVERLAP)
        self.plain = self._mint()
        return {"access_token": self.plain, "expires_in": int(LIFE.total_seconds())}

    def _mint(self) -> str:
        token = f"98_{self.fake.word(100)}"
        self.ends[token] = self.fake.now() + LIFE
        return token


def router(tokens: AccessTokens) -> APIRouter:
    routes = APIRouter()

    @routes.post("/cgi-bin/stable_token")
    async def stable_token(request: Request) -> dict[str, object]:
        try:
            tokens.fake.count("/cgi-bin/stable_token")
            asked = await body_of(request)
            check_app(asked.get("appid"), asked.get("secret"))
            if asked.get("grant_type") != "client_credential":
                raise Refused(40002)
            return tokens.give_stable(force=asked.get("force_refresh") is True)
        except Refused as refused:
            return tokens.fake.refusal(refused.errcode)

    @routes.get("/cgi-bin/token")
    async def token(
        appid: str | None = None, secret: str | None = None, grant_type: str | None = None
    ) -> dict[str, object]:
        try:
            tokens.fake.count("/cgi-bin/token")
            check_app(appid, secret)
            if grant_type != "client_credential":
                raise Refused(40002)
            return tokens.give_plain()
        except Refused as refused:
            return tokens.fake.refusal(refused.errcode)

    return routes


async def answered(
    tokens: AccessTokens,
    request: Request,
    access_token: str | None,
    do: Callable[[dict[str, Any]], Awaitable[dict[str, object]] | dict[str, object]],
) -> dict[str, object]:
    """What every endpoint with an access token does: quota, token, body, and refusals as JSON."""
    try:
        tokens.fake.count(request.url.path)
        tokens.check(access_token)
        done = do(await body_of(request))
        answer = await done if isinstance(done, Awaitable) else done
        return {"errcode": 0, "errmsg": "ok"} | answer
    except Refused as refused:
        return tokens.fake.refusal(refused.errcode, refused.what)


async def body_of(request: Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except ValueError:
        raise Refused(47001) from None
    if not isinstance(body, dict):
        raise Refused(47001)
    return body
