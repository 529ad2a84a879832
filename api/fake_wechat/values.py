"""What the fake lets stand in a subscription message, by the prefix of the key. Written apart from
the client's formatter, so that neither can hide the other's mistake."""

import re
from collections.abc import Mapping

TIME = "(?:[01]?[0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9])?"
DAY = "[0-9]{4}年[0-9]{1,2}月[0-9]{1,2}日"
HAN = "\u3400-\u4dbf\u4e00-\u9fff"

RULES: Mapping[str, str] = {
    "thing": "[^\x00-\x1f\x7f-\x9f\u2028\u2029]{1,20}",
    "number": r"[0-9]{1,32}|(?=.{3,32}$)[0-9]+\.[0-9]+",
    "letter": "[A-Za-z]{1,32}",
    "symbol": r"[!-/:-@\[-`{-~]{1,5}",
    "character_string": "[!-~]{1,32}",
    "phrase": f"[{HAN}]{{1,5}}",
    "date": f"{DAY}(?: {TIME})?",
    "time": f"(?:{DAY} )?{TIME}",
    "amount": r"[¥$€]?[0-9]{1,10}(?:\.[0-9]{1,2})?元?",
    "phone_number": r"[0-9+\-()*#]{1,17}",
    "car_number": f"[A-Z0-9{HAN}]{{1,8}}",
    "name": f"[A-Za-z]{{1,20}}|[A-Za-z{HAN}·]{{1,10}}",
}


def fits(key: str, value: object) -> bool:
    """Whether WeChat would take ``value`` under ``key``; blank values it takes nowhere."""
    rule = RULES.get(key.rstrip("0123456789"))
    return (
        rule is not None
        and isinstance(value, str)
        and value.strip() != ""
        and re.fullmatch(rule, value) is not None
    )
