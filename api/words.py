"""Texts for people, from catalogues with equal keys in zh-CN (the source) and en.

``catalogue/{locale}/*.toml``: ``[problems.<code>] title, detail`` and ``[words.<group>] key``.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

LOCALES = ("zh-CN", "en")


class _Facts(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "…"


@cache
def catalogue(locale: str) -> dict[str, str]:
    """All texts of a locale by dotted key (``problems.not-found.title``)."""
    texts: dict[str, str] = {}
    for entry in resources.files("api").joinpath("catalogue", locale).iterdir():
        if entry.name.endswith(".toml"):
            _flatten(tomllib.loads(entry.read_text("utf-8")), "", texts)
    return texts


def _flatten(tree: Mapping[str, Any], prefix: str, into: dict[str, str]) -> None:
    for name, value in tree.items():
        key = f"{prefix}{name}"
        if isinstance(value, str):
            if key in into:
                raise ValueError(f"{key} stands twice in the catalogue")
            into[key] = value
        else:
            _flatten(value, key + ".", into)


def say(locale: str, key: str, facts: Mapping[str, Any] | None = None) -> str:
    """The text for a key, with facts filled in; a fact that is missing shows as …"""
    text = catalogue(locale)[key]
    if not facts:
        return text if "{" not in text else text.format_map(_Facts())
    comma = "、" if locale == "zh-CN" else ", "
    plain = {k: comma.join(map(str, v)) if isinstance(v, list) else v for k, v in facts.items()}
    return text.format_map(_Facts(plain))


def pick_locale(accept_language: str | None) -> str:
    """The first language the client names that we have; Chinese otherwise."""
    for part in (accept_language or "").split(","):
        tag = part.split(";")[0].strip().lower()
        if tag.startswith("zh"):
            return "zh-CN"
        if tag.startswith("en"):
            return "en"
    return "zh-CN"
