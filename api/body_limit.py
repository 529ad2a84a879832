"""A body over the limit is refused while it is read. FastAPI's own limit answers in plain text,
not with a problem."""

import re

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.photos import BYTES

BODY_LIMIT = 256 * 1024
"""Bytes in the body of one request; the longest text that anybody may send has a tenth of it."""


UPLOADS = re.compile(r"/v1/topics/[^/]+/photos")
UPLOAD_LIMIT = BYTES + 64 * 1024
"""A photo, and the form around it."""


class BodyLimit:
    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        seen = 0
        most = UPLOAD_LIMIT if UPLOADS.fullmatch(scope["path"]) else BODY_LIMIT

        async def receive_on() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > most:
                raise HTTPException(413)  # what FastAPI lets through; api/problems.py words it
            return message

        await self.app(scope, receive_on, send)
