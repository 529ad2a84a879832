"""Content checks. Marker words in a text script its verdict; the control plane scripts media."""

from datetime import timedelta

from fastapi import APIRouter, Request

from api.fake_wechat.pushes import Pusher
from api.fake_wechat.state import APP_ID, FRESH, FakeWechat, Refused, User
from api.fake_wechat.tokens import AccessTokens, answered

LONGEST = 2500
LONGEST_LOOK = timedelta(minutes=30)
MARKERS = {
    "【违法】": ("risky", 20006),
    "【辱骂】": ("risky", 20003),
    "【时政】": ("review", 20001),
    "【新标签】": ("review", 29999),
    "【新建议】": ("doubtful", 21000),
}
MEDIA = ("pass", "review", "risky", "download_error", "twice", "never", "before_reply", "v1_risky")


def router(fake: FakeWechat, tokens: AccessTokens, pusher: Pusher) -> APIRouter:
    routes = APIRouter()

    @routes.post("/wxa/msg_sec_check")
    async def text(request: Request, access_token: str | None = None) -> dict[str, object]:
        return await answered(tokens, request, access_token, lambda asked: _text(fake, asked))

    @routes.post("/wxa/media_check_async")
    async def media(request: Request, access_token: str | None = None) -> dict[str, object]:
        return await answered(
            tokens, request, access_token, lambda asked: _media(fake, pusher, asked)
        )

    return routes


def _visitor(fake: FakeWechat, asked: dict[str, object]) -> User:
    if asked.get("version") != 2:
        raise Refused(47001)
    user = fake.user(asked.get("openid"))
    if asked.get("scene") not in (1, 2, 3, 4):
        raise Refused(40129)
    if user.visited_at is None or user.visited_at < fake.now() - FRESH:
        raise Refused(61010)
    return user


def _text(fake: FakeWechat, asked: dict[str, object]) -> dict[str, object]:
    user = _visitor(fake, asked)
    content = asked.get("content")
    if not isinstance(content, str) or not content:
        raise Refused(44002)
    if len(content) > LONGEST:
        raise Refused(47001)
    suggest, label = next((v for marker, v in MARKERS.items() if marker in content), ("pass", 100))
    trace_id = fake.hex(8)
    fake.checks.append(
        {"openid": user.openid, "content": content, "suggest": suggest, "trace_id": trace_id}
    )
    return {
        "trace_id": trace_id,
        "result": {"suggest": suggest, "label": label},
        "detail": [
            {
                "strategy": "content_model",
                "errcode": 0,
                "suggest": suggest,
                "label": label,
                "prob": 90,
            },
            {"strategy": "keyword", "errcode": 0},  # some say no more than this
        ],
    }


def _begin(fake: FakeWechat, openid: str, trace_id: str) -> None:
    """One more medium is looked at; whatever has had no event for half an hour never gets one."""
    now = fake.now()
    running = {
        trace: at
        for trace, at in fake.media_running.get(openid, {}).items()
        if at > now - LONGEST_LOOK
    }
    fake.media_running[openid] = running | {trace_id: now}
    together = len(fake.media_running[openid])
    fake.media_overlap[openid] = max(fake.media_overlap[openid], together)


async def _media(fake: FakeWechat, pusher: Pusher, asked: dict[str, object]) -> dict[str, object]:
    user = _visitor(fake, asked)
    if asked.get("media_type") not in (1, 2) or not asked.get("media_url"):
        raise Refused(44002)
    plan = fake.media_plans.pop(0) if fake.media_plans else "pass"
    trace_id = fake.hex(8)
    fake.checks.append(
        {"openid": user.openid, "url": asked["media_url"], "plan": plan, "trace_id": trace_id}
    )
    _begin(fake, user.openid, trace_id)
    suggest = plan if plan in ("pass", "review", "risky") else "pass"
    event: dict[str, object] = {
        "appid": APP_ID,
        "trace_id": trace_id,
        "version": 2,
        "detail": [{"strategy": "content_model", "errcode": 0, "suggest": suggest}],
        "errcode": 0,
        "errmsg": "ok",
        "result": {"suggest": suggest, "label": 100 if suggest == "pass" else 20002},
    }
    if plan == "download_error":
        event |= {"errcode": -1008, "errmsg": "download error", "detail": [], "result": {}}
    if plan == "v1_risky":
        event = {"appid": APP_ID, "trace_id": trace_id, "isrisky": 1, "status_code": 0}
    if plan == "before_reply":
        await pusher.send("wxa_media_check", user.openid, event)
    elif plan != "never":
        for _ in range(2 if plan == "twice" else 1):
            pusher.emit("wxa_media_check", user.openid, event)
    return {"trace_id": trace_id}
