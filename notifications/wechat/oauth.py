"""Logging in from a browser inside WeChat: the service account's OAuth (网页授权).

Its openids are not those of the mini-program; a unionid, where there is one, joins the two.
"""

from urllib.parse import urlencode

from notifications.wechat.client import Wechat
from notifications.wechat.errors import SnapshotUser, text_of
from notifications.wechat.login import Identity

OAUTH = "/sns/oauth2/access_token"
AUTHORIZE = "/connect/oauth2/authorize"


def authorize_url(open_url: str, app_id: str, *, redirect_uri: str, state: str) -> str:
    """Where to send the browser. The order of the parameters matters to WeChat; ``state`` is at
    most 128 letters and digits."""
    query = urlencode(
        [
            ("appid", app_id),
            ("redirect_uri", redirect_uri),
            ("response_type", "code"),
            ("scope", "snsapi_base"),
            ("state", state),
        ]
    )
    return f"{open_url}{AUTHORIZE}?{query}#wechat_redirect"


async def code_to_identity(wechat: Wechat, code: str) -> Identity:
    """Exchange the code that came back; ``wechat`` is the client of the service account. The user
    of a snapshot page is nobody (SnapshotUser). CodeInvalid, CodeUsed, Unavailable."""
    query = {"code": code, "grant_type": "authorization_code"} | wechat.app_and_secret()
    answer = await wechat.ask(OAUTH, query=query)
    if str(answer.get("is_snapshotuser", 0)) == "1":
        raise SnapshotUser(OAUTH)
    return Identity(openid=text_of(OAUTH, answer, "openid"), unionid=answer.get("unionid") or None)
