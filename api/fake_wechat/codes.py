"""Codes and links into the mini-program."""

import hashlib
import re
import struct
import zlib
from datetime import timedelta

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from api.fake_wechat.state import FakeWechat, Refused
from api.fake_wechat.tokens import AccessTokens, answered, body_of

SCENE = re.compile(r"[0-9A-Za-z!#$&'()*+,/:;=?@\-._~]{1,32}")


def router(fake: FakeWechat, tokens: AccessTokens) -> APIRouter:
    routes = APIRouter()

    @routes.post("/wxa/getwxacodeunlimit")
    async def code(request: Request, access_token: str | None = None) -> Response:
        try:
            fake.count("/wxa/getwxacodeunlimit")
            tokens.check(access_token)
            return Response(_code(fake, await body_of(request)), media_type="image/png")
        except Refused as refused:
            return JSONResponse(fake.refusal(refused.errcode))

    @routes.post("/wxa/generate_urllink")
    async def url_link(request: Request, access_token: str | None = None) -> dict[str, object]:
        return await answered(
            tokens,
            request,
            access_token,
            lambda asked: {"url_link": _link(fake, asked, asked, "https://wxaurl.cn/")},
        )

    @routes.post("/wxa/generatescheme")
    async def scheme(request: Request, access_token: str | None = None) -> dict[str, object]:
        return await answered(
            tokens,
            request,
            access_token,
            lambda asked: {
                "openlink": _link(
                    fake, asked.get("jump_wxa") or {}, asked, "weixin://dl/business/?t="
                )
            },
        )

    return routes


def _code(fake: FakeWechat, asked: dict[str, object]) -> bytes:
    scene, page, width = asked.get("scene"), asked.get("page"), asked.get("width", 430)
    if not isinstance(scene, str) or not SCENE.fullmatch(scene):
        raise Refused(40129)
    if page is not None and asked.get("check_path", True) and page not in fake.pages:
        raise Refused(41030)
    if not isinstance(width, int) or not 280 <= width <= 1280:
        raise Refused(47001)
    fake.codes.append({"scene": scene, "page": page})
    return _png(scene, width)


def _link(fake: FakeWechat, jump: dict[str, object], asked: dict[str, object], prefix: str) -> str:
    path, query, days = jump.get("path"), str(jump.get("query", "")), asked.get("expire_interval")
    if path not in fake.pages:
        raise Refused(40165)
    if len(query) > 1024:
        raise Refused(40212)
    if asked.get("expire_type") != 1 or not isinstance(days, int) or not 1 <= days <= 30:
        raise Refused(85401)
    link = prefix + fake.word(8)
    ends = fake.now() + timedelta(days=days)
    fake.links.append({"link": link, "path": path, "query": query, "ends": ends.isoformat()})
    return link


def _png(scene: str, width: int) -> bytes:
    """A square of grey blocks, the same for the same scene."""
    bits = hashlib.sha256(scene.encode()).digest() * 2
    row_of = [bits[i * 2 : i * 2 + 2] for i in range(16)]
    rows = bytearray()
    for y in range(width):
        pair = int.from_bytes(row_of[y * 16 // width])
        rows.append(0)
        rows += bytes(255 if pair >> (x * 16 // width) & 1 else 0 for x in range(width))

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, width, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(bytes(rows)))
        + chunk(b"IEND", b"")
    )
