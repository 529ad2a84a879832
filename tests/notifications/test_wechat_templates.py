"""Whatever text goes in, what comes out is what WeChat takes: checked by the rules of the contract
file and by the fake's own."""

import json
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from api.fake_wechat import values as fake
from notifications.wechat.templates import FITTERS, TemplateSpec, Unfit, fill

FACTS = json.loads((Path(__file__).parents[1] / "contract" / "wechat_facts.json").read_text())
RULES: dict[str, str] = FACTS["template_values"]
TEXTS = (
    st.text(max_size=60)
    | st.text(st.characters(codec="utf-8", categories=["Cc", "Cf", "Zs", "Zl", "So"]), max_size=9)
    | st.from_regex(r"[0-9.,:年月日¥ -]{0,40}", fullmatch=True)
    | st.text("王加装电梯表决,。", max_size=40)
)
ANYTHING = (
    TEXTS
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.dates()
    | st.datetimes(timezones=st.just(UTC))
)
MAY_BE_UNFIT = {"number", "date", "time", "amount", "phone_number", "car_number"}
"""Where inventing a value would be a lie."""


def test_client_fake_and_contract_know_the_same_types() -> None:
    assert FITTERS.keys() == fake.RULES.keys() == RULES.keys()
    assert dict(fake.RULES) == RULES


@pytest.mark.parametrize("kind", sorted(FITTERS))
@given(value=ANYTHING)
@example(value="")
@example(value="\n\t\u200b\u3000")
@example(value="\ud800")
@example(value="😀" * 30)
def test_what_comes_out_satisfies_the_rule_and_the_fake_takes_it(kind: str, value: Any) -> None:
    try:
        made = FITTERS[kind](value)
    except Unfit:
        assert kind in MAY_BE_UNFIT
        return
    assert re.fullmatch(RULES[kind], made), made
    assert fake.fits(f"{kind}1", made)


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        ("thing", "一层\n住户 担心  采光", "一层 住户 担心 采光"),
        ("thing", "加" * 20, "加" * 20),
        ("thing", "加" * 21, "加" * 19 + "…"),
        ("thing", " ", "无"),
        ("number", 12, "12"),
        ("number", "共 67.5 %", "67.5"),
        ("letter", "A栋B座", "AB"),
        ("symbol", "是!!", "!!"),
        ("character_string", "T-2026-007号", "T-2026-007"),
        ("phrase", "已经通过了吗", "已经通过了"),
        ("date", date(2026, 3, 1), "2026年3月1日"),
        ("date", datetime(2026, 3, 1, 16, 5, tzinfo=UTC), "2026年3月2日 00:05"),
        ("date", "2026-03-01", "2026年3月1日"),
        ("time", datetime(2026, 3, 1, 7, 1, tzinfo=UTC), "2026年3月1日 15:01"),
        ("time", "9:05", "09:05"),
        ("time", date(2026, 3, 1), "2026年3月1日 00:00"),
        ("amount", 1234567, "¥12345.67"),
        ("amount", Decimal("12.5"), "¥12.5"),
        ("amount", "1,200 元", "¥1200"),
        ("phone_number", "+86 139****0000", "+86139****0000"),
        ("car_number", "浙A·12345", "浙A12345"),
        ("name", "王小明", "王小明"),
        ("name", "买买提·阿布都热合曼·艾力", "买买提·阿布都热合曼"),
        ("name", "", "居民"),
    ],
)
def test_values_as_people_read_them(kind: str, value: Any, expected: str) -> None:
    assert FITTERS[kind](value) == expected


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("date", "soon"),
        ("date", "2026-02-30"),
        ("time", "25:00"),
        ("number", "many"),
        ("number", "1" * 33),
        ("amount", "free"),
        ("amount", 10**13),
        ("phone_number", "none"),
        ("car_number", "-"),
    ],
)
def test_a_number_or_time_is_never_invented(kind: str, value: Any) -> None:
    with pytest.raises(Unfit):
        FITTERS[kind](value)


def test_a_template_is_filled_by_key_and_a_missing_fact_is_unfit() -> None:
    spec = TemplateSpec(name="n", template_id="t", values={"thing1": "title", "number12": "n"})
    assert fill(spec, {"title": "公告", "n": 3, "more": "x"}) == {
        "thing1": {"value": "公告"},
        "number12": {"value": "3"},
    }
    with pytest.raises(Unfit):
        fill(spec, {"title": "公告"})


def test_a_template_with_a_key_of_no_known_type_is_a_mistake_in_the_settings() -> None:
    with pytest.raises(ValidationError, match="no known type"):
        TemplateSpec(name="n", template_id="t", values={"thingy1": "title"})


@pytest.mark.parametrize(
    ("name", "hour", "said"),
    [
        ("closes_at", 16, "2026年11月30日 23:59"),
        ("closes_at", 10, "2026年11月30日 18:00"),
        ("opens_at", 16, "2026年12月1日 00:00"),
    ],
)
def test_an_end_at_midnight_names_the_last_day_that_counts(name: str, hour: int, said: str) -> None:
    spec = TemplateSpec(name="poll", template_id="T", values={"time1": name, "date2": name})

    data = fill(spec, {name: datetime(2026, 11, 30, hour, tzinfo=UTC)})

    assert data == {"time1": {"value": said}, "date2": {"value": said}}
