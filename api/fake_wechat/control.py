"""``/__fake__/``: what users and time do, told to the fake by whoever runs a test or the demo."""

from datetime import timedelta
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from api.fake_wechat import subscribe
from api.fake_wechat.pushes import Mode, Mutation, Pusher
from api.fake_wechat.state import APP_ID, H5_APP_ID, FakeWechat, Fault, Quota, Template, User
from api.fake_wechat.tokens import AccessTokens


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class UserIn(_In):
    openid: str = Field(min_length=1, max_length=64)
    unionid: str | None = None
    phone: str | None = None
    country_code: str = "86"
    risk: bool = False
    snapshot: bool = False


class OpenidIn(_In):
    openid: str


class CodeIn(OpenidIn):
    app_id: str = APP_ID


class AdvanceIn(_In):
    seconds: float = Field(ge=0)


class FaultIn(_In):
    path: str
    kind: Literal["errcode", "html", "truncated", "lost", "reset", "drip", "slow", "token_dies"]
    n: int = 1
    errcode: int = -1
    seconds: float = 0


class QuotaIn(_In):
    path: str
    per_minute: int | None = None
    per_day: int | None = None


class TemplateIn(_In):
    template_id: str
    content: str
    long_term: bool = False


class TapIn(OpenidIn):
    """``answers``: accept, reject or always, by template id."""

    answers: dict[str, Literal["accept", "reject", "always"]]


class RefusalIn(OpenidIn):
    template_id: str


class MediaIn(_In):
    plan: Literal[
        "pass", "review", "risky", "download_error", "twice", "never", "before_reply", "v1_risky"
    ]


class PagesIn(_In):
    pages: list[str]


class ReceiptIn(_In):
    errcode: int
    status: str = "failed:system failed"
    n: int = 1


class ListenerIn(_In):
    """Where and how to push."""

    url: str
    mode: Mode = "secure"
    format: Literal["json", "xml"] = "json"
    at_once: bool = False
    timeout: float = 5.0
    key: str | None = None


class PushIn(OpenidIn):
    event: str
    data: dict[str, Any] = Field(default_factory=dict)
    mode: Mode | None = None
    mutate: Mutation | None = None


class DeliverIn(_In):
    times: int = 1
    reverse: bool = False


class ReplayIn(_In):
    body: str | None = None


def router(fake: FakeWechat, tokens: AccessTokens, pusher: Pusher) -> APIRouter:
    routes = APIRouter(prefix="/__fake__")

    @routes.post("/users")
    async def put_user(user: UserIn) -> UserIn:
        """Create a user, or change one."""
        known = fake.users.setdefault(user.openid, User(user.openid))
        for name, value in user.model_dump().items():
            setattr(known, name, value)
        return user

    @routes.post("/login-code")
    async def login_code(asked: CodeIn) -> dict[str, str]:
        """The user calls wx.login."""
        user = _user(asked.openid)
        return {"code": fake.new_code(fake.login_codes, user.openid, asked.app_id)}

    @routes.post("/oauth-code")
    async def oauth_code(asked: OpenidIn) -> dict[str, str]:
        """The user agrees on the page that a browser inside WeChat shows."""
        user = _user(asked.openid)
        return {"code": fake.new_code(fake.oauth_codes, user.openid, H5_APP_ID)}

    @routes.post("/phone-code")
    async def phone_code(asked: CodeIn) -> dict[str, str]:
        """The user presses the phone number button."""
        user = _user(asked.openid)
        if user.phone is None:
            raise HTTPException(409, "the user has no phone")
        return {"code": fake.new_code(fake.phone_codes, user.openid, asked.app_id)}

    @routes.post("/visit")
    async def visit(asked: OpenidIn) -> OpenidIn:
        """The user opens the mini-program."""
        _user(asked.openid).visited_at = fake.now()
        return asked

    @routes.post("/templates")
    async def put_template(template: TemplateIn) -> TemplateIn:
        fake.templates[template.template_id] = Template(**template.model_dump())
        return template

    @routes.post("/tap-subscribe")
    async def tap_subscribe(asked: TapIn) -> dict[str, str]:
        """The user answers the popup; returns what the client hears."""
        if asked.answers.keys() - fake.templates.keys():
            raise HTTPException(404, "no such template")
        return subscribe.tap(fake, pusher, _user(asked.openid), dict(asked.answers))

    @routes.post("/refuse-subscription")
    async def refuse_subscription(asked: RefusalIn) -> RefusalIn:
        """The user refuses a template in the settings of the app."""
        subscribe.refuse(fake, pusher, _user(asked.openid), asked.template_id)
        return asked

    @routes.post("/pages")
    async def pages(asked: PagesIn) -> PagesIn:
        """These are the pages of the released version."""
        fake.pages = tuple(asked.pages)
        return asked

    @routes.post("/receipt")
    async def receipt(asked: ReceiptIn) -> ReceiptIn:
        """What the receipts of the next ``n`` messages say; WeChat takes them all the same."""
        fake.receipts += [(str(asked.errcode), asked.status)] * asked.n
        return asked

    @routes.post("/media-verdict")
    async def media_verdict(asked: MediaIn) -> MediaIn:
        """What becomes of the next media check; several queue up."""
        fake.media_plans.append(asked.plan)
        return asked

    @routes.post("/listener")
    async def listener(asked: ListenerIn) -> ListenerIn:
        for name, value in asked.model_dump(exclude_none=True).items():
            setattr(pusher, name, value)
        return asked

    @routes.post("/push")
    async def push(asked: PushIn) -> dict[str, object]:
        """Push an event now, perhaps spoiled; the HTTP status of each try."""
        statuses = await pusher.send(
            asked.event, asked.openid, asked.data, mode=asked.mode, mutate=asked.mutate
        )
        return {"statuses": statuses}

    @routes.post("/deliver")
    async def deliver(asked: DeliverIn) -> dict[str, object]:
        """Push the events that wait."""
        return {"statuses": await pusher.deliver(times=asked.times, reverse=asked.reverse)}

    @routes.post("/replay")
    async def replay(asked: ReplayIn) -> dict[str, object]:
        """The last push again, as it was or with another body."""
        body = None if asked.body is None else asked.body.encode()
        return {"status": await pusher.replay(body)}

    @routes.post("/check-address")
    async def check_address(good: bool = True) -> dict[str, object]:
        status, text = await pusher.check(good=good)
        return {"status": status, "text": text}

    @routes.post("/quota")
    async def quota(asked: QuotaIn) -> QuotaIn:
        fake.quotas[asked.path] = Quota(asked.per_minute, asked.per_day)
        return asked

    @routes.post("/leak-token")
    async def leak_token() -> dict[str, str | None]:
        """The stable token as somebody may have seen it."""
        return {"access_token": tokens.stable}

    @routes.post("/clock/advance")
    async def advance(asked: AdvanceIn) -> dict[str, str]:
        fake.skew += timedelta(seconds=asked.seconds)
        return {"now": fake.now().isoformat()}

    @routes.post("/fault")
    async def fault(asked: FaultIn) -> FaultIn:
        """The next ``n`` requests of ``path`` go wrong; ``*`` is every path."""
        fake.faults.append(Fault(**asked.model_dump()))
        return asked

    @routes.post("/heal")
    async def heal() -> dict[str, str]:
        """Nothing goes wrong any more."""
        fake.faults.clear()
        return {}

    @routes.get("/outbox")
    async def outbox() -> dict[str, object]:
        """What was sent, checked, made and paid for, and how often each path was asked."""
        return {
            "phone_charges": list(fake.charges),
            "messages": list(fake.messages),
            "checks": list(fake.checks),
            "media_overlap": dict(fake.media_overlap),
            "codes": list(fake.codes),
            "links": list(fake.links),
            "waiting": list(pusher.waiting),
            "credits": {openid: dict(user.credits) for openid, user in fake.users.items()},
            "calls": dict(fake.calls),
        }

    @routes.post("/reset", status_code=204)
    async def reset() -> None:
        fake.reset()
        tokens.reset()
        pusher.reset()

    def _user(openid: str) -> User:
        if openid not in fake.users:
            raise HTTPException(404, "no such user; POST /__fake__/users first")
        return fake.users[openid]

    return routes
