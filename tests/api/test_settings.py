from typing import Any

import pytest
from pydantic import ValidationError

from api.settings import Settings

GOOD: dict[str, Any] = {
    "field_secret": "-" * 32,
    "token_key": "00" * 32,
    "board_key": "00" * 32,
    "production": True,
    "wechat_app_id": "wx0123456789abcdef",
    "wechat_secret": "a secret of WeChat's",
    "live_origins": ["https://minyi.example"],
}


def test_production_takes_the_real_wechat_with_its_credentials() -> None:
    assert Settings(**GOOD).production


@pytest.mark.parametrize(
    "missing",
    [{"wechat_app_id": ""}, {"wechat_secret": ""}, {"wechat_base_url": "http://127.0.0.1:8790"}],
)
def test_production_refuses_the_fake_and_empty_credentials(missing: dict[str, str]) -> None:
    with pytest.raises(ValidationError, match="production needs"):
        Settings(**(GOOD | missing))
    assert not Settings(**(GOOD | missing | {"production": False})).production


def test_production_names_the_origins_of_its_web_pages_or_says_any() -> None:
    with pytest.raises(ValidationError, match="production needs live_origins"):
        Settings(**(GOOD | {"live_origins": []}))
    assert Settings(**(GOOD | {"live_origins": ["*"]})).live_origins == ["*"]
    assert Settings(**(GOOD | {"live_origins": [], "production": False})).live_origins == []


@pytest.mark.parametrize(
    "origin", ["minyi.example", "https://minyi.example/", "https://Minyi.example", "", "https://"]
)
def test_an_origin_that_no_browser_would_send_is_refused(origin: str) -> None:
    with pytest.raises(ValidationError, match="an origin is https://host"):
        Settings(**(GOOD | {"live_origins": [origin]}))
