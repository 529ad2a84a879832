"""Links into the mini-program from outside WeChat: URL links (SMS, e-mail) and schemes. Both live
for at most 30 days."""

from notifications.wechat.client import Wechat
from notifications.wechat.errors import text_of

URL_LINK = "/wxa/generate_urllink"
SCHEME = "/wxa/generatescheme"


async def url_link(wechat: Wechat, *, path: str, query: str, days: int) -> str:
    """An https address that opens ``path`` for ``days`` days. Faulty, Overused, Unavailable."""
    body = {
        "path": path,
        "query": query,
        "env_version": wechat.limits.env_version,
        "expire_type": 1,
        "expire_interval": days,
    }
    return text_of(URL_LINK, await wechat.ask_with_token(URL_LINK, body=body), "url_link")


async def scheme(wechat: Wechat, *, path: str, query: str, days: int) -> str:
    """A ``weixin://`` address that does the same from a browser."""
    body = {
        "jump_wxa": {"path": path, "query": query, "env_version": wechat.limits.env_version},
        "expire_type": 1,
        "expire_interval": days,
    }
    return text_of(SCHEME, await wechat.ask_with_token(SCHEME, body=body), "openlink")
