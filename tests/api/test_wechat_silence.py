"""What no log may hold."""

import io
from collections.abc import Generator

import pytest
import structlog

from api import logs
from api.fake_wechat.state import APP_ID, PUSH_KEY, PUSH_TOKEN, SECRET
from notifications.wechat.subscribe import SEND, send_subscription
from notifications.wechat.tables import WechatAccount
from tests.api.pushes import ACCEPT, POPUP
from tests.api.wechat_house import House
from tests.conftest import ManualClock
from tests.fake_wechat import log_in


@pytest.fixture
def log() -> Generator[io.StringIO]:
    before = structlog.get_config()
    stream = io.StringIO()
    logs.configure(stream)
    yield stream
    structlog.configure(**before)


async def test_no_secret_openid_or_template_value_reaches_a_log(
    log: io.StringIO, house: House, caplog: pytest.LogCaptureFixture, clock: ManualClock
) -> None:
    caplog.set_level("DEBUG")
    caplog.set_level("WARNING", "aiosqlite")  # at DEBUG it tells every value; nobody runs it so
    session = await log_in(house.http, house.fake, "o-canary-openid", phone="13787654321")
    await house.fake.tap("o-canary-openid", **{"T-task": "accept"})
    await house.deliver()
    for fault in (None, {"kind": "errcode", "errcode": 47003}, {"kind": "lost"}):
        if fault is not None:
            await house.fake.fault(SEND, **fault)
        await send_subscription(
            house.db,
            house.services.wechat,
            person_id=(await house.rows(WechatAccount))[0].person_id,
            template="task_done",
            facts={"title": "灯塔", "done_on": clock.now.date()},
            page="pages/topic/topic",
        )
    for mutate in ("bad_msg_signature", "stale", "plaintext", "wrong_app", "wrong_padding"):
        await house.push(POPUP, "o-canary-openid", data=ACCEPT, mutate=mutate)
    token = await house.services.wechat.access_token()

    told = log.getvalue() + caplog.text
    assert "push refused" in told
    for canary in (
        SECRET,
        PUSH_TOKEN,
        PUSH_KEY,
        token,
        "o-canary-openid",
        "灯塔",
        "13787654321",
        session["refresh_token"],
    ):
        assert canary not in told, canary
    assert APP_ID not in told
