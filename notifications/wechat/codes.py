"""Mini-program codes 小程序码 that never expire (getwxacodeunlimit): for paper."""

import re

from notifications.wechat.client import Wechat
from notifications.wechat.errors import Faulty

CODE = "/wxa/getwxacodeunlimit"
SCENE = re.compile(r"[0-9A-Za-z!#$&'()*+,/:;=?@\-._~]{1,32}")
"""What WeChat allows as a scene; no percent sign."""


async def code_image(wechat: Wechat, *, scene: str, page: str) -> bytes:
    """The image (PNG or JPEG) that opens ``page`` with ``scene``. ``page`` has no leading slash
    and no query, and must be in the released version. Faulty, Overused, Unavailable."""
    if not SCENE.fullmatch(scene):
        raise Faulty(CODE, 40129)
    body = {
        "scene": scene,
        "page": page,
        "check_path": wechat.limits.env_version == "release",
        "env_version": wechat.limits.env_version,
        "width": wechat.limits.code_width,
    }
    return await wechat.fetch_with_token(CODE, body=body)
