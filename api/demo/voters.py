"""The voters of the stories, read from the registers: who owns what, who speaks for a household,
and a group of owners whose heads and areas add up to the numbers of the story."""

import random
from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal

from api.demo.registers import rows
from consultation.community.registers import RegisterKind


def owners(estate: str) -> dict[str, int]:
    """Phone of each head of an estate to area in 0.01 m²; of co-owners, the named voter."""
    areas: dict[str, int] = defaultdict(int)
    for unit in rows("wutongli", RegisterKind.UNITS):
        if unit["estate_code"] == estate and unit["owner_keys"]:
            keys, phones = unit["owner_keys"].split(";"), unit["owner_phones"].split(";")
            voter = phones[keys.index(unit["named_voter"] or keys[0])]
            areas[voter] += int(Decimal(unit["area"]) * 100)
    return dict(areas)


def owner_of(code: str) -> str:
    """The phone of who owns a home."""
    for unit in rows("wutongli", RegisterKind.UNITS):
        if unit["code"] == code:
            return unit["owner_phones"].split(";")[0]
    raise LookupError(code)


def spokespeople(estate: str) -> list[str]:
    """The phones of those who speak for the occupied households of an estate."""
    return [
        row["representative_phone"]
        for row in rows("wutongli", RegisterKind.HOUSEHOLDS)
        if row["unit_code"].startswith(estate) and row.get("representative_phone")
    ]


def of_role(community: str, role: str) -> list[str]:
    """The phones of those who hold a role, as the register names it."""
    return [
        row["person_phone"]
        for row in rows(community, RegisterKind.ROLES)
        if row["role"] == role and row["person_phone"]
    ]


def choose(areas: Mapping[str, int], heads: int, area: int, *, seed: int) -> list[str]:
    """``heads`` owners whose areas add up to ``area`` exactly: start anywhere, and exchange one
    inside for one outside, the pair that comes nearest, until nothing is missing."""
    source = random.Random(seed)  # noqa: S311  the same group each time, on purpose
    everyone = sorted(areas)
    for _ in range(200):
        source.shuffle(everyone)
        inside, outside = _by_area(everyone[:heads], areas), _by_area(everyone[heads:], areas)
        missing = area - sum(value * len(phones) for value, phones in inside.items())
        while missing:
            left, gone, come = min(
                (abs(missing - (b - a)), a, b) for a in inside for b in outside if a != b
            )
            if left >= abs(missing):
                break
            missing -= come - gone
            _move(inside, outside, gone)
            _move(outside, inside, come)
        if not missing:
            return sorted(phone for phones in inside.values() for phone in phones)
    raise LookupError(f"no {heads} owners with {area}")


def _by_area(phones: list[str], areas: Mapping[str, int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    for phone in phones:
        found[areas[phone]].append(phone)
    return found


def _move(one: dict[int, list[str]], other: dict[int, list[str]], area: int) -> None:
    other[area].append(one[area].pop())
    if not one[area]:
        del one[area]
