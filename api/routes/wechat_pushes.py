"""Where WeChat pushes to. Not part of the clients' contract."""

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse

from api import wechat_pushes
from api.dependencies import App

router = APIRouter(prefix="/v1/wechat", include_in_schema=False)


@router.get("/push", response_class=PlainTextResponse)
async def check_push_address(request: Request, app: App) -> PlainTextResponse:
    """The console asks whether this address is ours."""
    found = wechat_pushes.check_address(app.settings, request.query_params, app.db.clock())
    return PlainTextResponse(found)


@router.post("/push", response_class=PlainTextResponse)
async def take_push(request: Request, app: App) -> PlainTextResponse:
    """Keep a push, and say so: WeChat sends it again otherwise, three times in all."""
    body = await request.body()
    await wechat_pushes.receive(app.db, app.settings, request.query_params, body)
    return PlainTextResponse("success")
