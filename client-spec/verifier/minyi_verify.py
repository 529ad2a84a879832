#!/usr/bin/env python3
"""Checks the result pack of a Minyi poll and counts it again: no server, no network, no database.

    python3 minyi_verify.py PACK [--notice HASH] [--receipt FILE] [--previous-head FILE] [--json]

PACK is the folder of a pack, or the zip file as it was downloaded; nothing is unpacked to disk.
One file, Python 3.11 or later; beside the standard library it needs ``cryptography``, for Ed25519
alone. It shares no code with the server. FORMAT.md in the pack says what it checks, byte by byte.
Exit 0 if no check fails, 1 if one does, 2 if there is no pack. A check that this edition, or this
call, does not let be made is skipped, and says so.

A pack that its maker invented from beginning to end is consistent in itself. What ties it to the
poll that was announced is what people hold in their hands: the check code in the notice
(``--notice``), receipts (``--receipt``), tree heads that they noted (``--previous-head``).
"""

import argparse
import hashlib
import io
import json
import os
import re
import stat
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Json = Any
FILES = (
    "FORMAT.md",
    "SHA256SUMS",
    "ballots.jsonl",
    "board.jsonl",
    "certificate.json",
    "heads.jsonl",
    "manifest.json",
    "reconciliation.json",
    "roll.jsonl",
    "tally.json",
)
LABELS = {
    "named": {
        "zh-CN": "记名表决:选择与投票人一并保存,投票人本人可以查看;截止后计票人和监督人可以查看。",
        "en": "Named: the choice is stored with the voter. The voter can see it, and after the "
        "close tellers and supervisor can.",
    },
    "confidential": {
        "zh-CN": "保密表决:双信封,截止时投票人与选择分开,此后无从对应;运营者承诺不查看,"
        "但保有密钥和副本的运营者在技术上能够查看。",
        "en": "Confidential: a double envelope. At the close voter and choice are separated for "
        "good. The operator promises not to look; one who keeps the key and a copy could.",
    },
}
FORMATS = ("minyi-poll-1", "minyi-poll-2", "minyi-poll-3")
"""The second certifies the envelopes of a confidential poll, the third the public result, and salts
the digest of the whole one."""
NEWEST = FORMATS[-1]
FORMAT_TEXTS = {
    "88185ce564b300635e4511a47ba9d69d8297142d443960345e56224a22fd8d05",
    "7a69cf09fa7393c5b21d298e2f2a1ea508657ae04bd5d4a55e3d9fcad6431379",
    "8725266e033f0bc43b61abfc7245037e129458d815a9afb7de009bec7a1c9fb8",
    "01643cdfd32f6682ffcdd39c967a8641bb0f718cae06419f6f9518b415274c6a",
    "36718eacb0128af5e29eb8c18a9d15d5a18290d84d39667e8379cd40b5e1a2ca",
    "84a6d1560b84d31b4d5e32e98cc2db809d7571ee954a8de19973d818374c08fd",
    "244c9c9ec2ce54909746328d0f996b1b7963dd70089b098c03a18c598d94865c",
    "c9d9d6a76a26165eb217f5490d6617f83b2667f0a628866c00b90bc3afdcf306",
    "9990fa30b2ba0cc34e26b6789d5b2a218b0711d6f1f604af1cc4e9b52c783c86",
    "28e5dd929e9e7d00fda19626c3021783545f0c6b912d8c55dd9e3f3485af3797",
    "14a65327e3dfba135b3935217a368da66b983fa1f46467c14059425e0337930b",
    "df38a88bad3afbb32e76f49cbc2251901e8b7012ef055938400e244253fc9257",
}
"""SHA-256 of every FORMAT.md that packs were written with: no signature is over that text."""
MOST_BYTES = 1 << 28
"""Of all files of a pack together, unpacked."""
MOST_HELD = 1 << 20
"""Of a receipt or a head."""
LONGEST_LINE = 500
NO_SIGNATURE, TRIES = "01" + "00" * 63, 128
"""Ed25519 with a key of small order takes it for many messages: R is the neutral point, S is 0."""
ALONE = {"abstain", "none"}
CERTIFICATE = (
    "v kind poll manifest version corrects reason result_digest heads reconciliation signatures "
    "extension closed_at certified_at"
)
TALLY = "poll edition withheld closed_at result result_digest hands deemed"
ON_PAPER = {"paper", "home_visit"}
SHANGHAI = timezone(timedelta(hours=8))
LATE = timedelta(days=1)


class Broken(Exception):
    """A check does not hold; the text says where."""


def need(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Broken(otherwise)


def shown(text: str) -> str:
    """Text of a pack as it may be printed: a terminal obeys what it does not show."""
    safe = "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in text
    )
    return safe if len(safe) <= LONGEST_LINE else f"{safe[:LONGEST_LINE]}…"


# ---- files --------------------------------------------------------------------------------------


Found = tuple[dict[str, bytes], list[str]]
"""The files of a pack by name, and what is wrong with them as files."""


def read_folder(folder: Path) -> Found:
    """Opens plain files with the names of a pack, and nothing else: no link is followed."""
    found: dict[str, bytes] = {}
    wrong: list[str] = []
    room = MOST_BYTES
    for name in sorted(entry.name for entry in os.scandir(folder)):
        about = (folder / name).lstat()
        if name not in FILES:
            wrong.append(f"{name}: not a file of a pack")
        elif not stat.S_ISREG(about.st_mode):
            wrong.append(f"{name}: not a plain file")
        elif about.st_size > room:
            wrong.append(f"{name}: too large")
        else:
            with (folder / name).open("rb") as file:
                found[name] = file.read(room)
            room -= len(found[name])
    return found, wrong


def read_zip(path: Path) -> Found:
    """Reads the files of a pack out of a zip into memory, never more than their limit."""
    found: dict[str, bytes] = {}
    wrong: list[str] = []
    room = MOST_BYTES
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            name = entry.filename
            if name not in FILES:
                wrong.append(f"{name}: not a file of a pack")
            elif name in found:
                wrong.append(f"{name}: stands twice")
            elif entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                wrong.append(f"{name}: packed in another way")
            else:
                with archive.open(entry) as file:
                    content = file.read(room + 1)
                if len(content) > room:
                    wrong.append(f"{name}: too large")
                    continue
                found[name] = content
                room -= len(content)
    return found, wrong


def read_held(path: Path) -> Json:
    """A receipt or head that somebody kept, as a file in whatever spacing."""
    try:
        with path.open("rb") as file:
            text = file.read(MOST_HELD + 1)
    except OSError as error:
        raise Broken(f"{path}: {error.strerror}") from None
    need(len(text) <= MOST_HELD, f"{path}: too large")
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise Broken(f"{path}: not JSON") from None


# ---- bytes --------------------------------------------------------------------------------------


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def canonical(value: Json) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def read_json(text: bytes, where: str) -> Json:
    """JSON exactly as canonical JSON writes it; anything else could be read in two ways."""

    def pairs(found: list[tuple[str, Json]]) -> dict[str, Json]:
        need(len({name for name, _ in found}) == len(found), f"{where}: a name stands twice")
        return dict(found)

    def never(found: str) -> Json:
        raise Broken(f"{where}: {found} is no whole number")

    try:
        value = json.loads(
            text.decode(), object_pairs_hook=pairs, parse_constant=never, parse_float=never
        )
        again = canonical(value)
    except (ValueError, RecursionError):
        raise Broken(f"{where}: not JSON") from None
    need(again == text, f"{where}: not canonical JSON")
    return value


def read_lines(text: bytes, name: str) -> list[Json]:
    need(not text or text.endswith(b"\n"), f"{name}: the last line has no end")
    return [
        read_json(line, f"{name} line {number}")
        for number, line in enumerate(text.split(b"\n")[:-1], 1)
    ]


def fields(row: Json, names: str, where: str, *, may: str = "") -> None:
    wanted = set(names.split())
    need(isinstance(row, dict), f"{where}: no object")
    need(wanted <= set(row) <= wanted | set(may.split()), f"{where}: not these fields")


def instant(text: str) -> datetime:
    need(bool(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", text)), f"{text}: not an instant")
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def is_hex(text: Json, size: int) -> bool:
    return isinstance(text, str) and bool(re.fullmatch(rf"[0-9a-f]{{{size * 2}}}", text))


def signed_by(key: str, signature: str, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(
            bytes.fromhex(signature), message
        )
    except (InvalidSignature, ValueError):
        return False
    return True


# ---- the tree (RFC 9162, 2.1) -------------------------------------------------------------------


def leaf_hash(leaf: bytes) -> bytes:
    return sha256(b"\x00" + leaf)


class Tree:
    """Grows leaf by leaf; keeps only the roots of its full subtrees, largest first."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[tuple[int, bytes]] = []

    def add(self, leaf: bytes) -> None:
        self.size += 1
        height, node = 0, leaf
        while self._peaks and self._peaks[-1][0] == height:
            node = sha256(b"\x01" + self._peaks.pop()[1] + node)
            height += 1
        self._peaks.append((height, node))

    @property
    def root(self) -> str:
        if not self._peaks:
            return sha256(b"").hex()
        node = self._peaks[-1][1]
        for _, peak in reversed(self._peaks[:-1]):
            node = sha256(b"\x01" + peak + node)
        return node.hex()


def root_of(leaves: Iterable[bytes]) -> str:
    tree = Tree()
    for leaf in leaves:
        tree.add(leaf)
    return tree.root


# ---- counting -----------------------------------------------------------------------------------


def check_rule(preset: Json, items: list[Json]) -> None:
    """Bounds are shares of something that the rule counts; what binds has a quorum and a bound of
    approval; and silence is counted with the majority of owners' motions alone, not where all must
    agree."""
    for one in [*preset["turnout"], *preset["approval"]]:
        need(one["measure"] in preset["measures"], "rule: a bound of what it does not count")
        whole = one["of"] in ("eligible", "participating")
        need(whole or one["measure"] == "heads", "rule: an area of what has none")
        share = [one["numerator"], one["denominator"]]
        need(all(type(n) is int for n in share) and 1 <= share[0] <= share[1], "rule: no share")
    bounds = preset["turnout"] and preset["approval"]
    need(not preset["binding"] or bool(bounds), "rule: it binds and asks nothing")
    if preset["silent"] != "deemed_majority":
        return
    need(preset["layer"] == "owners" and not preset["held_in_meeting"], "silence: not of owners")
    need(all(item["kind"] == "motion" for item in items), "silence: not of a motion")
    all_agree = any(one["numerator"] == one["denominator"] for one in preset["approval"])
    need(not all_agree, "silence: where all must agree")


def check_item(item: Json, where: str) -> None:
    """It can be answered in one way only."""
    kind, most, seats = item["kind"], item["most"], item["seats"]
    codes = [option["code"] for option in item["options"]]
    need(len(set(codes)) == len(codes) and not ALONE & set(codes), f"{where}: options")
    need(type(most) is int and most >= 1, f"{where}: no marks")
    if kind == "motion":
        need(not codes, f"{where}: a motion has no options")
    if kind in ("motion", "single_choice", "rating"):
        need(most == 1, f"{where}: more marks than one")
    else:
        need(most <= len(codes), f"{where}: more marks than options")
    need((seats is None) == (kind != "election"), f"{where}: seats")
    need(seats is None or (type(seats) is int and seats >= 1), f"{where}: no seats")


def choices_of(item: Json) -> list[str]:
    if item["kind"] == "motion":
        return ["for", "against", "abstain"]
    none = [] if item["kind"] == "rating" else ["none"]
    return [*(option["code"] for option in item["options"]), *none, "abstain"]


def check_choices(items: list[Json], choices: Json, where: str) -> None:
    need(isinstance(choices, dict), f"{where}: no choices")
    need(set(choices) == {str(item["number"]) for item in items}, f"{where}: items not answered")
    for item in items:
        codes = choices[str(item["number"])]
        need(codes == sorted(set(codes)), f"{where}: codes twice or out of order")
        need(set(codes) <= set(choices_of(item)), f"{where}: a code that was not asked")
        need(1 <= len(codes) <= item["most"], f"{where}: too many or no codes")
        need(len(codes) == 1 or not ALONE & set(codes), f"{where}: none and abstain stand alone")


def can_replace(preset: Json) -> bool:
    """Whether under this rule a later ballot of a voter can take the place of an earlier one."""
    channels = preset["channels"]
    return any(
        what_stands(preset, one, two, stands_valid=True, comes_valid=True) == "replaces"
        for one in channels
        for two in channels
    )


def what_stands(
    preset: Json, stands: str, comes: str, *, stands_valid: bool, comes_valid: bool
) -> str:
    """What becomes of a voter's later cast: refused, replaces or aside."""
    if stands == "proxy" and comes != "proxy":
        return "replaces"
    if comes == "proxy" and stands != "proxy":
        return "aside"
    if (stands in ON_PAPER) != (comes in ON_PAPER):
        if stands_valid != comes_valid:
            return "replaces" if comes_valid else "aside"
        paper_prevails = preset["duplicates"] == "paper_prevails"
        return "replaces" if (comes in ON_PAPER) == paper_prevails else "aside"
    if preset["revote"] == "last_valid_before_close" and comes not in ON_PAPER:
        return "replaces"
    return "refused"


class Sum:
    """Heads, and area in 0.01 m²."""

    def __init__(self, heads: int = 0, area: int = 0) -> None:
        self.heads, self.area = heads, area

    def add(self, area: int) -> None:
        self.heads += 1
        self.area += area

    def __add__(self, other: "Sum") -> "Sum":
        return Sum(self.heads + other.heads, self.area + other.area)

    def by(self, measure: str) -> int:
        return self.heads if measure == "heads" else self.area

    @property
    def json(self) -> Json:
        return {"heads": self.heads, "area_dm2": self.area}


class Votes:
    """What the ballots add up to, before any rule is applied."""

    def __init__(self, items: list[Json]) -> None:
        self.eligible, self.valid, self.invalid, self.deemed = Sum(), Sum(), Sum(), Sum()
        self.by_hand = 0
        self.answers = {
            item["number"]: {code: Sum() for code in choices_of(item)} for item in items
        }

    def take(self, choices: Json, area: int) -> None:
        if choices is None:
            self.invalid.add(area)
            return
        self.valid.add(area)
        for number, answers in self.answers.items():
            for code in choices[str(number)]:
                answers[code].add(area)

    def take_hands(self, hands: Json) -> None:
        fields(hands, "heads items", "hands")
        need(type(hands["heads"]) is int, "hands: no number")
        self.by_hand = hands["heads"]
        self.valid += Sum(hands["heads"])
        need(set(hands["items"]) == {str(number) for number in self.answers}, "hands: other items")
        for number, answers in self.answers.items():
            shown = hands["items"][str(number)]
            need(set(shown) <= set(answers), "hands: for something that was not asked")
            need(all(type(n) is int and n >= 0 for n in shown.values()), "hands: no numbers")
            need(sum(shown.values()) == hands["heads"], "hands: do not sum up")
            for code, count in shown.items():
                answers[code].heads += count


class Withheld:
    """What a public edition says of areas whose sums it withholds. It is taken as it is said: which
    bounds of area are reached, in their order, and whom the silent followed."""

    def __init__(self, result: Json) -> None:
        shown = [tally["approval"] for item in result["items"] for tally in item["tallies"]]
        checks = [*result["turnout"], *(check for checks in shown for check in checks)]
        self.reached = iter([one["reached"] for one in checks if one["measure"] == "area"])
        self.followed = {
            item["number"]: [one["code"] for one in item["tallies"] if one["deemed"]["heads"]]
            for item in result["items"]
        }

    def apply(self, threshold: Json) -> Json:
        reached = next(self.reached, None)
        need(type(reached) is bool, "a bound of area is not there")
        return {**threshold, "reached": reached}


def apply(
    threshold: Json, value: Sum, bases: dict[str, Sum], withheld: Withheld | None = None
) -> Json:
    """A threshold as a result shows it."""
    if withheld is not None and threshold["measure"] == "area":
        return withheld.apply(threshold)
    of_base = bases[threshold["of"]].by(threshold["measure"])
    bound = Fraction(of_base * threshold["numerator"], threshold["denominator"])
    least = -(-bound.numerator // bound.denominator)
    if not threshold["inclusive"] and least == bound:
        least += 1
    least = max(least, 1)
    got = value.by(threshold["measure"])
    return {
        **threshold,
        "value": got,
        "base": of_base,
        "needed": least,
        "missing": max(0, least - got),
        "reached": got >= least,
    }


def count(
    manifest: Json, votes: Votes, present: int | None, withheld: Withheld | None = None
) -> Json:
    """The result, without its explaining steps."""
    preset, items = manifest["preset"]["content"], manifest["items"]
    taking_part = votes.valid + votes.deemed
    if preset["invalid"] == "participating":
        taking_part += votes.invalid
    came = Sum(present or 0) if preset["held_in_meeting"] else taking_part
    bases = {
        "eligible": votes.eligible,
        "members": votes.eligible,
        "participating": taking_part,
        "votes_cast": votes.valid + votes.invalid,
        "present": came,
    }
    turnout = [apply(threshold, came, bases, withheld) for threshold in preset["turnout"]]
    quorum = all(check["reached"] for check in turnout)
    counted = [_count_item(preset, item, votes, bases, quorum, withheld) for item in items]
    left = None
    if preset["allocation"] == "budget_in_vote_order":
        left = _fund(items, counted, manifest["budget_fen"] or 0)
    return {
        "eligible": votes.eligible.json,
        "participating": taking_part.json,
        "valid": votes.valid.json,
        "invalid": votes.invalid.json,
        "deemed": votes.deemed.json,
        "by_hand": votes.by_hand,
        "present": present if preset["held_in_meeting"] else None,
        "turnout": turnout,
        "quorum_reached": quorum,
        "items": counted,
        "verdict": overall(preset, counted),
        "budget_left_fen": left,
    }


def overall(preset: Json, counted: list[Json]) -> str:
    verdicts = {one["verdict"] for one in counted}
    if verdicts != {"noted"}:
        verdicts.discard("noted")
    mixed = "partly_passed" if preset["binding"] else "partly_supported"
    return verdicts.pop() if len(verdicts) == 1 else mixed


def _count_item(
    preset: Json,
    item: Json,
    votes: Votes,
    bases: dict[str, Sum],
    quorum: bool,
    withheld: Withheld | None,
) -> Json:
    kind, got = item["kind"], votes.answers[item["number"]]
    options = [option["code"] for option in item["options"]]
    silent: dict[str, Sum] = {}
    if votes.deemed.heads and kind == "motion":
        said = None if withheld is None else withheld.followed[item["number"]]
        silent = {_followed(preset, got, said): votes.deemed}
    approvable = {"motion": ["for"], "rating": []}.get(kind, options)
    tallies = [
        {
            "code": code,
            "votes": votes.json,
            "deemed": silent.get(code, Sum()).json,
            "approval": [
                apply(threshold, votes + silent.get(code, Sum()), bases, withheld)
                for threshold in (preset["approval"] if code in approvable else [])
            ],
        }
        for code, votes in got.items()
    ]
    result: dict[str, Json] = {
        "number": item["number"],
        "kind": kind,
        "tallies": tallies,
        "verdict": "no_quorum" if not quorum else "noted",
        "chosen": [],
        "leading": [],
        "tied": [],
        "runoff": [],
        "open_seats": None,
        "funding": None,
    }
    if kind != "motion":
        most = max((got[code].heads for code in options), default=0)
        result["leading"] = [code for code in options if most and got[code].heads == most]
    if kind == "election":
        result["open_seats"] = item["seats"]
    if not quorum:
        return result
    if kind == "rating":
        result["chosen"] = _grade(options, got)
        return result
    if not preset["approval"]:
        return result

    def rank(code: str) -> tuple[int, int]:
        return got[code].heads, got[code].area if "area" in preset["measures"] else 0

    reaching = [
        one["code"]
        for one in tallies
        if one["approval"] and all(check["reached"] for check in one["approval"])
    ]
    in_order = sorted(options, key=rank, reverse=True)
    partly = False
    if kind == "motion":
        passed = bool(reaching)
    elif kind == "multiple_choice":
        result["chosen"] = [code for code in in_order if code in reaching]
        passed = bool(reaching)
    elif kind == "single_choice":
        best = max((rank(code) for code in reaching), default=None)
        ahead = [code for code in reaching if rank(code) == best]
        result["tied" if len(ahead) > 1 else "chosen"] = ahead
        passed = len(ahead) == 1
    else:
        qualified = [code for code in in_order if code in reaching]
        seats = item["seats"]
        elected, tied = qualified[:seats], []
        if len(qualified) > seats and rank(qualified[seats]) == rank(qualified[seats - 1]):
            edge = rank(qualified[seats])
            elected = [code for code in qualified if rank(code) > edge]
            tied = [code for code in qualified if rank(code) == edge]
        result["chosen"], result["tied"] = elected, tied
        result["open_seats"] = seats - len(elected)
        if tied:
            result["runoff"] = tied
        elif len(elected) < seats:
            result["runoff"] = [code for code in in_order if code not in elected]
        passed = len(elected) == seats
        partly = 0 < len(elected) < seats
    result["verdict"] = verdict_of(preset, 1 if passed or partly else 0, 2 if partly else 1)
    return result


def verdict_of(preset: Json, filled: int, seats: int) -> str:
    word = "passed" if preset["binding"] else "supported"
    if 0 < filled < seats:
        return f"partly_{word}"
    return word if filled == seats else f"not_{word}"


def _followed(preset: Json, got: dict[str, Sum], said: list[str] | None) -> str:
    """Whom silent voters follow where they count with the majority. Where areas are withheld and
    heads do not speak against it, as it is ``said``."""
    more = [got["for"].by(one) - got["against"].by(one) for one in preset["measures"]]
    if said is not None:
        heads = got["for"].heads - got["against"].heads
        unseen = "for" if heads > 0 else "against"
        return unseen if said == [unseen] and heads else "abstain"
    if all(one > 0 for one in more):
        return "for"
    return "against" if all(one < 0 for one in more) else "abstain"


def _grade(options: list[str], got: dict[str, Sum]) -> list[str]:
    """The best grade which more than half of those who graded gave or bettered."""
    graded, so_far = sum(got[code].heads for code in options), 0
    for code in options:
        so_far += got[code].heads
        if so_far * 2 > graded:
            return [code]
    return []


def _fund(items: list[Json], counted: list[Json], ceiling: int) -> int:
    """Funds what passed in the order of votes, equal votes together; the first group that does not
    fit ends it. What is left of the money."""
    groups: dict[int, list[int]] = {}
    for index, one in enumerate(counted):
        if one["verdict"] in ("passed", "supported"):
            one["funding"] = "reserve"
            groups.setdefault(one["tallies"][0]["votes"]["heads"], []).append(index)
    left = ceiling
    for heads in sorted(groups, reverse=True):
        cost = sum(items[index]["cost_fen"] or 0 for index in groups[heads])
        if cost > left:
            break
        left -= cost
        for index in groups[heads]:
            counted[index]["funding"] = "funded"
    return left


def is_close(preset: Json, result: Json) -> bool:
    """Whether the rule has other tellers count again: an item is within so many ballots, or so
    much of the votes, of another verdict. Without areas, in a public edition, only what heads
    alone decide is asked for."""
    rule = preset.get("recount")
    if rule is None or not preset["approval"] or not result["quorum_reached"]:
        return False
    share = Fraction(rule["share"])

    def near(distance: int, measure: str) -> bool:
        if measure == "heads" and distance <= rule["ballots"]:
            return True
        whole = result["participating"]["heads" if measure == "heads" else "area_dm2"]
        return distance <= whole * share

    return any(_item_is_close(near, item) for item in result["items"])


def _item_is_close(near: Callable[[int, str], bool], item: Json) -> bool:
    def over(check: Json) -> bool:
        return "value" in check and near(abs(check["value"] - check["needed"]), check["measure"])

    kind = item["kind"]
    if kind == "rating":
        return False
    if kind == "motion":
        checks = next(one["approval"] for one in item["tallies"] if one["code"] == "for")
        missed = [check for check in checks if not check["reached"]]
        return all(map(over, missed)) if missed else any(map(over, checks))
    options = [one for one in item["tallies"] if one["approval"]]
    several = kind == "multiple_choice"
    room = several or not item["chosen"] or bool(item["open_seats"])
    asked = [one for one in options if room or one["code"] in item["chosen"]]
    if any(over(check) for one in asked for check in one["approval"]):
        return True
    if several:
        return False
    heads = {one["code"]: one["votes"]["heads"] + one["deemed"]["heads"] for one in options}
    chosen = [count for code, count in heads.items() if code in item["chosen"]]
    others = [count for code, count in heads.items() if code not in item["chosen"]]
    gap = max(0, min(chosen) - max(others)) if chosen and others else None
    return bool(item["tied"]) or (gap is not None and near(gap, "heads"))


def signers_of(certificate: Json) -> dict[str, set[str]]:
    """Who signed, by what they did: two tellers and a supervisor at least, all different people."""
    people: dict[str, set[str]] = {"teller": set(), "recount": set(), "supervisor": set()}
    for one in certificate["signatures"]:
        fields(one, "role recount signer name result_digest at", "signature")
        need(one["role"] in ("teller", "supervisor"), f"{one['role']}: signs nothing")
        need(one["result_digest"] == certificate["result_digest"], "of another result")
        again = one["recount"] and one["role"] == "teller"
        need(one["recount"] is again, "a recount is signed by tellers")
        people["recount" if again else one["role"]].add(one["signer"])
    signed = [one["signer"] for one in certificate["signatures"]]
    need(len(set(signed)) == len(signed), "one person signed twice")
    need(len(people["teller"]) >= 2, "fewer than two tellers")
    need(len(people["supervisor"]) >= 1, "no supervisor")
    need(len(people["recount"]) != 1, "one teller alone counted again")
    return people


def without_steps(result: Json) -> Json:
    kept = {name: value for name, value in result.items() if name != "steps"}
    kept["items"] = [
        {name: value for name, value in item.items() if name != "steps"} for item in kept["items"]
    ]
    return kept


def are_counts(value: Json) -> bool:
    """Whether the numbers of a report are whole and none is below nothing."""
    if isinstance(value, dict):
        return all(are_counts(one) for name, one in value.items() if name != "channel")
    if isinstance(value, list):
        return all(map(are_counts, value))
    return value is None or value is True or is_count(value)


def are_salts(rows: list[Json]) -> bool:
    salts = [row["salt"] for row in rows]
    return all(is_hex(one, 16) for one in salts) and len(set(salts)) == len(salts)


def is_count(value: Json) -> bool:
    return type(value) is int and value >= 0


def given_sum(shown: Json) -> Sum:
    numbers = [shown["heads"], shown.get("area_dm2", 0)]
    need(all(map(is_count, numbers)), "not a number of votes")
    return Sum(*numbers)


def without_areas(value: Json) -> Json:
    if isinstance(value, list):
        return [without_areas(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {name: without_areas(one) for name, one in value.items() if name != "area_dm2"}


def as_published(value: Json) -> Json:
    """A result as the public edition has it, where areas count."""
    if isinstance(value, list):
        return [as_published(one) for one in value]
    if not isinstance(value, dict):
        return value
    hidden = {"steps", "area_dm2"}
    if value.get("measure") == "area":
        hidden |= {"value", "base", "needed", "missing"}
    return {name: as_published(one) for name, one in value.items() if name not in hidden}


def as_ranked(preset: Json, counted: Json, given: Json) -> None:
    """Takes over from ``given`` what areas decide between options that have equal heads, and
    nothing else."""
    kind, decided = counted["kind"], counted["verdict"] not in ("no_quorum", "noted")
    if kind in ("motion", "rating") or not decided:
        return
    chosen, tied = given["chosen"], given["tied"]
    need(len(set(chosen) | set(tied)) == len(chosen) + len(tied), "chosen twice")
    if kind == "multiple_choice":
        need(sorted(chosen) == sorted(counted["chosen"]), "chosen: others reach")
        counted["chosen"] = chosen
        return
    equal, seats = counted["tied"], 1
    if kind == "election":
        seats = counted["open_seats"] + len(counted["chosen"])
        counted["open_seats"] = seats - len(chosen)
        rest = {one["code"] for one in counted["tallies"]} - ALONE - {*chosen}
        again = {*tied} or (rest if len(chosen) < seats else set())
        need(sorted(given["runoff"]) == sorted(again), "run-off: others")
        counted["runoff"] = given["runoff"]
    need({*counted["chosen"]} <= {*chosen} <= {*counted["chosen"], *equal}, "chosen: another")
    need({*tied} <= {*equal} and len(tied) != 1 and len(chosen) <= seats, "tied: others")
    need(bool(tied) <= (len(chosen) < seats), "tied for no seat")
    need(not equal or bool(tied) or len(chosen) == seats, "a seat is open for which some are equal")
    counted["chosen"], counted["tied"] = chosen, tied
    counted["verdict"] = verdict_of(preset, len(chosen), seats)


# ---- the pack -----------------------------------------------------------------------------------


Check = Callable[[], str | None]
"""Raises Broken where something does not hold. What it returns is why it could not look."""


class Pack:
    """A folder or zip, read once, and every check of it in order. Checks are methods whose
    docstring says what holds when they pass."""

    def __init__(self, where: Path, options: argparse.Namespace) -> None:
        self.where, self.options = where, options
        self.raw: dict[str, bytes] = {}
        self.notes: list[str] = []
        self.ballots_read = 0

    def checks(self) -> Iterator[tuple[str, Check]]:
        yield "files", self.files
        yield "sums", self.sums
        yield "format", self.format_is_known
        yield "encoding", self.encoding
        yield "manifest", self.manifest_is_sound
        yield "notice", self.notice
        yield "roll", self.roll_is_announced
        yield "heads", self.heads_are_signed
        yield "board", self.board_is_theirs
        yield "batches", self.batches
        yield "ballots-on-board", self.ballots_on_board
        yield "casts", self.casts
        yield "recount", self.recount
        yield "result-digest", self.result_digest
        yield "public-result", self.public_result
        yield "reconciliation", self.reconciliation
        yield "certificate", self.certificate
        yield "signers", self.signers
        yield "corrections", self.corrections
        yield "times", self.times
        if self.options.receipt:
            yield "receipts", self.receipts
        if self.options.previous_head:
            yield "previous-heads", self.previous_heads

    def note(self, text: str) -> None:
        self.notes.append(text)

    def files(self) -> None:
        """There are the files of a pack and nothing else."""
        read = read_folder if self.where.is_dir() else read_zip
        self.raw, wrong = read(self.where)
        named = {text.partition(":")[0] for text in wrong}
        wrong += [f"{name}: not there" for name in FILES if name not in self.raw.keys() | named]
        need(not wrong, "; ".join(wrong))

    def sums(self) -> None:
        """Every file is the one that SHA256SUMS lists."""
        wanted = "".join(
            f"{sha256(self.raw[name]).hex()}  {name}\n" for name in FILES if name != "SHA256SUMS"
        )
        need(self.raw["SHA256SUMS"].decode("ascii", "replace") == wanted, "a checksum differs")

    def format_is_known(self) -> None:
        """FORMAT.md is a text that packs were written with, word for word."""
        found = sha256(self.raw["FORMAT.md"]).hex()
        need(found in FORMAT_TEXTS, "not a text that this verifier knows; a newer one may")

    def encoding(self) -> None:
        """Every file is canonical JSON, with the fields of the format."""
        for name in ("manifest", "tally", "reconciliation", "certificate"):
            setattr(self, name + "_", read_json(self.raw[f"{name}.json"], f"{name}.json"))
        for name in ("roll", "ballots", "board", "heads"):
            setattr(self, name + "_", read_lines(self.raw[f"{name}.jsonl"], f"{name}.jsonl"))
        self.newest = self.manifest_["format"] == NEWEST
        self.since_newest(self.tally_, TALLY, "salt", "tally.json")
        fields(self.certificate_, "content signature earlier", "certificate.json")
        for row in self.board_:
            fields(row, "tree idx leaf", "board.jsonl")
        for row in self.heads_:
            fields(row, "tree number size root prev at signature", "heads.jsonl")
        self.named = self.manifest_["mode"] == "named"
        self.public = self.tally_["edition"] == "public"
        need(self.tally_["edition"] in ("full", "public"), "no such edition")
        need(self.named or not self.public, "a confidential poll has one edition")
        withheld = ["roll", "ballots"] if self.public else []
        if self.public and "area" in self.manifest_["preset"]["content"]["measures"]:
            withheld.append("areas")
        need(self.tally_["withheld"] == withheld, "this edition withholds something else")
        roll = "leaf" if self.public else "number voter area_dm2 units salt"
        ballots = "place cast channel choices salt set_aside" if self.named else "tracker choices"
        for row in self.roll_:
            fields(row, roll, "roll.jsonl")
        for row in self.ballots_:
            fields(row, "leaf" if self.public else ballots, "ballots.jsonl")
        self.ballots_read = len(self.ballots_)
        self.poll = self.manifest_["poll"]
        self.digest = sha256(self.raw["manifest.json"]).hex()

    def since_newest(self, row: Json, names: str, new: str, where: str) -> None:
        """The fields of the poll's format: before the newest there need not be ``new``."""
        if self.newest:
            fields(row, f"{names} {new}", where)
        else:
            fields(row, names, where, may=new)

    def manifest_is_sound(self) -> None:
        """The manifest names a known format, its mode honestly, and the text it was made of."""
        m = self.manifest_
        fields(
            m,
            "format poll round scope question items budget_fen text_hash preset mode mode_label "
            "roll opens_at closes_at reference_day batches board_key box_key",
            "manifest.json",
        )
        need(m["format"] in FORMATS, "another format")
        need(m["mode_label"] == LABELS.get(m["mode"]), "the mode is not called what it is")
        preset = m["preset"]["content"]
        need(m["preset"]["key"] == f"{preset['id']}@{preset['version']}", "preset: another key")
        need(m["mode"] in preset["modes"], "the preset does not allow this mode")
        sealed = m["mode"] != "named"
        need((m["box_key"] is not None) == sealed, "box key: only of sealed ballots")
        need(not sealed or is_hex(m["box_key"], 32), "box key: not a key")
        text = {
            "question": m["question"],
            "items": m["items"],
            "budget_fen": m["budget_fen"],
            "preset": preset,
        }
        need(sha256(canonical(text)).hex() == m["text_hash"], "text_hash: of another text")
        need([i["number"] for i in m["items"]] == [*range(1, len(m["items"]) + 1)], "items: order")
        need(all(item["kind"] in preset["questions"] for item in m["items"]), "items: other kinds")
        check_rule(preset, m["items"])
        for item in m["items"]:
            check_item(item, f"item {item['number']}")
        need(instant(m["opens_at"]) < instant(m["closes_at"]), "closes before it opens")
        last = (instant(m["closes_at"]) - timedelta(seconds=1)).astimezone(SHANGHAI)
        need(m["reference_day"] == last.date().isoformat(), "of age on another day than the last")
        need(is_hex(m["board_key"], 32), "board key: not a key")
        forged = (signed_by(m["board_key"], NO_SIGNATURE, bytes([one])) for one in range(TRIES))
        need(not any(forged), "board key: under it everybody can sign")

    def notice(self) -> str | None:
        """The manifest is the one whose check code stands in the notice."""
        code = self.options.notice
        if code is None:
            return "no code was given: give --notice and the check code in the notice"
        need(bool(re.fullmatch(r"[0-9a-f]{16,64}", code)), "not a check code")
        need(self.digest.startswith(code), f"the manifest's code is {self.digest[:16]}")
        return None

    def roll_is_announced(self) -> None:
        """The roll is the one the manifest commits to: root, places and area."""
        wanted = self.manifest_["roll"]
        fields(wanted, "version places area_dm2 root digest", "manifest.json roll")
        need(len(self.roll_) == wanted["places"], "more or fewer places")
        if self.public:
            leaves = [bytes.fromhex(row["leaf"]) for row in self.roll_]
        else:
            numbers = [row["number"] for row in self.roll_]
            need(numbers == sorted(set(numbers)), "places are not in order, or stand twice")
            voters = [row["voter"] for row in self.roll_ if row["voter"] is not None]
            need(len(set(voters)) == len(voters), "a voter has two places")
            for row in self.roll_:
                sizes = [row[name] for name in ("number", "area_dm2", "units")]
                need(all(is_count(one) for one in sizes), "a place without a size")
                need(row["voter"] is None or is_hex(row["voter"], 16), "not a pseudonym")
            need(are_salts(self.roll_), "salts are not 16 bytes, or equal")
            need(
                sum(row["area_dm2"] for row in self.roll_) == wanted["area_dm2"],
                "another sum of areas",
            )
            leaves = [leaf_hash(canonical({"v": 1, "poll": self.poll, **r})) for r in self.roll_]
        need(root_of(leaves) == wanted["root"], "another root")
        self.places = {} if self.public else {row["number"]: row for row in self.roll_}

    def heads_are_signed(self) -> None:
        """Every tree head is signed by the board key for this manifest, and follows the one
        before."""
        self.last_head: dict[str, Json] = {}
        texts: dict[str, str] = {}
        for row in self.heads_:
            tree, where = row["tree"], f"head {row['number']} of {row['tree']}"
            need(tree in ("recorded", "opened"), f"{where}: no such tree")
            text = self.head_text(row)
            before = self.last_head.get(tree)
            need(row["number"] == (before["number"] + 1 if before else 1), f"{where}: number")
            need(row["prev"] == texts.get(tree), f"{where}: does not name the one before")
            if before:
                need(row["size"] >= before["size"], f"{where}: the tree became smaller")
                need(instant(row["at"]) >= instant(before["at"]), f"{where}: earlier")
            need(
                signed_by(self.manifest_["board_key"], row["signature"], text),
                f"{where}: not signed by the board key",
            )
            self.last_head[tree], texts[tree] = row, sha256(text).hex()
        trees = {"recorded"} if self.named else {"recorded", "opened"}
        need(set(self.last_head) == trees, "a tree has no head, or there is a tree too many")
        order = sorted(self.heads_, key=lambda one: (one["tree"], one["number"]))
        need(order == self.heads_, "heads are not in order")

    def head_text(self, row: Json) -> bytes:
        named = {name: row[name] for name in ("tree", "number", "size", "root", "prev", "at")}
        return canonical(
            {"v": 1, "kind": "head", "poll": self.poll, "manifest": self.digest, **named}
        )

    def board_is_theirs(self) -> None:
        """The leaves of the board have the root of every head at its size, and no leaf is
        beyond the last."""
        self.trees: dict[str, list[bytes]] = {"recorded": [], "opened": []}
        for row in self.board_:
            tree = self.trees.get(row["tree"])
            need(tree is not None and row["idx"] == len(tree), "leaves are not in order")
            need(is_hex(row["leaf"], 32), "a leaf is not a hash")
            tree.append(bytes.fromhex(row["leaf"]))
        order = sorted(self.board_, key=lambda one: (one["tree"], one["idx"]))
        need(order == self.board_, "trees are not in order")
        need(not (self.named and self.trees["opened"]), "a named poll has no opened tree")
        for name, leaves in self.trees.items():
            grown = Tree()
            for row in (one for one in self.heads_ if one["tree"] == name):
                need(row["size"] <= len(leaves), f"head {row['number']}: leaves are missing")
                for leaf in leaves[grown.size : row["size"]]:
                    grown.add(leaf)
                need(grown.root == row["root"], f"head {row['number']} of {name}: another root")
            need(grown.size == len(leaves), f"{name}: leaves beyond the last head")
        recorded = self.trees["recorded"]
        need(len(set(recorded)) == len(recorded), "a recorded leaf stands twice")

    def batches(self) -> None:
        """Leaves came in sorted batches, large enough or at the day's first round; heads tell the
        hour and no more."""
        rule = self.manifest_["batches"]
        fields(rule, "least every_seconds", "manifest.json batches")
        recorded = [row for row in self.heads_ if row["tree"] == "recorded"]
        start, day = 0, None
        for row in self.heads_:
            need(instant(row["at"]).strftime("%M%S") == "0000", "a head tells more than the hour")
        for row in recorded:
            batch = self.trees["recorded"][start : row["size"]]
            need(batch == sorted(batch), f"head {row['number']}: the batch is not sorted")
            today = instant(row["at"]).astimezone(SHANGHAI).date()
            need(
                len(batch) >= rule["least"] or today != day or row is recorded[-1],
                f"head {row['number']}: a batch too small",
            )
            start, day = row["size"], today

    def ballots_on_board(self) -> None:
        """Every ballot is a leaf of the board, and every leaf a ballot."""
        if self.public:
            leaves = [bytes.fromhex(row["leaf"]) for row in self.ballots_]
            need(leaves == sorted(self.trees["recorded"]), "not the leaves of the board")
            return
        if not self.named:
            leaves = [
                leaf_hash(canonical({"v": 1, "poll": self.poll, **row})) for row in self.ballots_
            ]
            need(leaves == self.trees["opened"], "not the leaves of the board")
            came = len(self.trees["recorded"])
            need(len(leaves) <= came, "more ballots than envelopes came in")
            replaced = len(leaves) < came
            need(
                not replaced or can_replace(self.manifest_["preset"]["content"]),
                "fewer ballots than envelopes, and nothing can replace one",
            )
            trackers = [row["tracker"] for row in self.ballots_]
            fit = all(re.fullmatch(r"[A-Z0-9]{26}", one) for one in trackers)
            need(fit, "not a tracker")
            need(len(set(trackers)) == len(trackers), "a tracker stands twice")
            need(trackers == sorted(trackers), "ballots are not in the order of their trackers")
            return
        need(are_salts(self.ballots_), "salts are not 16 bytes, or equal")
        leaves = sorted(
            leaf_hash(
                canonical(
                    {
                        "v": 1,
                        "poll": self.poll,
                        **{name: row[name] for name in row if name != "set_aside"},
                    }
                )
            )
            for row in self.ballots_
        )
        need(leaves == sorted(self.trees["recorded"]), "not the leaves of the board")

    def casts(self) -> str | None:
        """Every ballot answers what was asked, and there are no more than places on the roll; and
        where ballots have names, nobody votes twice, only people on the roll and by the channels
        of the rule, and of several casts of one voter the one that stands is the one of the
        rule."""
        if self.public:
            return "this public edition withholds roll and ballots"
        preset, items = self.manifest_["preset"]["content"], self.manifest_["items"]
        self.standing: dict[int, Json] = {}
        if not self.named:
            for row in self.ballots_:
                if row["choices"] is not None:
                    check_choices(items, row["choices"], f"ballot {row['tracker']}")
            need(len(self.ballots_) <= len(self.roll_), "more ballots than places on the roll")
            return None
        order = [(row["place"], row["cast"]) for row in self.ballots_]
        need(order == sorted(set(order)), "casts are not in order, or stand twice")
        known: dict[int, int] = {}
        for row in self.ballots_:
            place, where = row["place"], f"place {row['place']} cast {row['cast']}"
            need(is_count(place) and is_count(row["cast"]), f"{where}: not numbers")
            need(place in self.places, f"{where}: not on the roll")
            need(self.places[place]["voter"] is not None, f"{where}: nobody votes there")
            need(row["channel"] in preset["channels"], f"{where}: by a channel not of the rule")
            need(row["cast"] == known.get(place, 0) + 1, f"{where}: a cast is missing")
            known[place] = row["cast"]
            if row["choices"] is not None:
                check_choices(items, row["choices"], where)
            stands = self.standing.get(place)
            fate = "replaces"
            if stands is not None:
                fate = what_stands(
                    preset,
                    stands["channel"],
                    row["channel"],
                    stands_valid=stands["choices"] is not None,
                    comes_valid=row["choices"] is not None,
                )
            need(fate != "refused", f"{where}: a second ballot")
            need(row["set_aside"] == (fate == "aside"), f"{where}: set aside against the rule")
            if fate == "replaces":
                self.standing[place] = row
        return None

    def recount(self) -> str | None:
        """The result is what the ballots add up to under the rule in the manifest."""
        preset, result = self.manifest_["preset"]["content"], self.tally_["result"]
        need(self.tally_["poll"] == self.poll, "the tally of another poll")
        self.hands_could_be_counted()
        if self.public:
            self.arithmetic(result)
            return (
                "this public edition withholds roll and ballots: only that the numbers of the "
                "result fit together was checked"
            )
        votes = Votes(self.manifest_["items"])
        for row in self.roll_:
            votes.eligible.add(row["area_dm2"])
        if self.named:
            for place, row in self.standing.items():
                votes.take(row["choices"], self.places[place]["area_dm2"])
        else:
            for row in self.ballots_:
                votes.take(row["choices"], 0)
        if self.tally_["hands"] is not None:
            votes.take_hands(self.tally_["hands"])
        for place in self.tally_["deemed"]:
            need(preset["silent"] == "deemed_majority", "silence means nothing under this rule")
            need(place in self.places and place not in self.standing, "deemed, and voted")
            need(self.places[place]["voter"] is not None, "deemed, and nobody votes there")
            votes.deemed.add(self.places[place]["area_dm2"])
        deemed = self.tally_["deemed"]
        need(deemed == sorted(set(deemed)), "deemed: out of order or twice")
        taking_part = votes.valid.heads + votes.invalid.heads + votes.deemed.heads
        need(taking_part <= votes.eligible.heads, "more votes than places on the roll")
        present = result["present"]
        if preset["held_in_meeting"]:
            need(type(present) is int, "nobody counted those present")
            need(votes.valid.heads + votes.invalid.heads <= present, "more votes than present")
            need(present <= votes.eligible.heads, "more present than members")
        counted = count(self.manifest_, votes, present)
        given = without_steps(result)
        for name in counted:
            same = canonical(given.get(name)) == canonical(counted[name])
            need(same, f"{name}: counted again it is another")
        need(set(given) == set(counted), "fields that no count has")
        return None

    def hands_could_be_counted(self) -> None:
        """Hands are raised in a meeting, by name and by nobody who has a ballot."""
        if self.tally_["hands"] is None:
            return
        preset = self.manifest_["preset"]["content"]
        need(self.named, "hands: not in a confidential poll")
        need(preset["held_in_meeting"], "hands: only in a meeting")
        need(preset["measures"] == ["heads"], "hands: only where heads alone decide")
        one_answer = all(item["most"] == 1 for item in self.manifest_["items"])
        need(one_answer, "hands: one answer to each item")
        need(not self.ballots_, "hands: there are ballots beside them")

    def arithmetic(self, result: Json) -> None:
        """Without the ballots: that the result follows from the heads that it gives every answer,
        and from which bounds of area it says are reached."""
        preset, items = self.manifest_["preset"]["content"], self.manifest_["items"]
        hands = self.tally_["hands"]
        votes = Votes(items)
        if hands is not None:  # there is nothing else to count
            votes.take_hands(hands)
            raised = [[one.heads for one in answers.values()] for answers in votes.answers.values()]
        for name in ("eligible", "valid", "invalid", "deemed"):
            setattr(votes, name, given_sum(result[name]))
        need(len(result["items"]) == len(items), "other items than were asked")
        for item, shown in zip(items, result["items"], strict=True):
            answers = votes.answers[item["number"]]
            need([one["code"] for one in shown["tallies"]] == [*answers], "other answers")
            for one in shown["tallies"]:
                answers[one["code"]] = given_sum(one["votes"])
            heads, each = votes.valid.heads, [one.heads for one in answers.values()]
            need(heads <= sum(each) <= heads * item["most"], "answers: more or fewer than votes")
            need(max(each) <= heads, "answers: more than votes")
        if hands is not None:
            shown = [[one.heads for one in answers.values()] for answers in votes.answers.values()]
            need(shown == raised, "hands: counted again they are others")
        need(result["by_hand"] == votes.by_hand, "hands: another number")
        silent = preset["silent"] == "deemed_majority"
        need(silent or not votes.deemed.heads, "silence means nothing under this rule")
        need(votes.eligible.heads == len(self.roll_), "other heads than the roll has")
        cast = votes.valid.heads - votes.by_hand + votes.invalid.heads
        need(cast <= len(self.ballots_), "more votes than leaves")
        took_part = votes.valid.heads + votes.invalid.heads
        all_of_them = took_part + votes.deemed.heads
        need(all_of_them <= votes.eligible.heads, "more votes than places on the roll")
        if preset["held_in_meeting"]:
            need(type(result["present"]) is int, "nobody counted those present")
            need(took_part <= result["present"] <= len(self.roll_), "more votes than present")
        areas = "areas" in self.tally_["withheld"]
        withheld = Withheld(result) if areas else None
        counted, given = count(self.manifest_, votes, result["present"], withheld), result
        if areas:
            counted = without_areas(counted)
            for again, shown in zip(counted["items"], given["items"], strict=True):
                as_ranked(preset, again, shown)
            counted["verdict"] = overall(preset, counted["items"])
        given = without_steps(given)
        need(set(given) == set(counted), "fields that no count has")
        for name in counted:
            same = canonical(given[name]) == canonical(counted[name])
            need(same, f"{name}: does not follow from the heads")

    def result_digest(self) -> str | None:
        """The digest that was signed is of this result, poll, text and roll."""
        given = self.tally_["result_digest"]
        self.certified = read_json(self.certificate_["content"].encode(), "certificate")
        need(given == self.certified["result_digest"], "the certificate names another digest")
        areas = "areas" in self.tally_["withheld"]
        salt = self.tally_.get("salt")
        if self.newest and not areas:
            need(is_hex(salt, 16), "not salted")
        else:
            need(salt is None, "a salt, by which withheld areas could be tried out")
        if areas:
            return "this public edition withholds sums of areas, which are part of what was signed"
        text = {
            "poll_id": self.poll,
            "text_hash": self.manifest_["text_hash"],
            "roll_digest": self.manifest_["roll"]["digest"],
            "result": self.tally_["result"],
        }
        if salt is not None:
            text["salt"] = salt
        need(sha256(canonical(text)).hex() == given, "of another result")
        return None

    def public_result(self) -> str | None:
        """What everybody is shown of the result is certified."""
        certified = self.certified.get("public_result")
        if certified is None:
            need(not self.newest, "nobody certified it")
            return "nobody certified it yet under the format of this poll" if self.public else None
        shown = self.tally_["result"]
        if self.named and "area" in self.manifest_["preset"]["content"]["measures"]:
            shown = as_published(shown)
        need(sha256(canonical(shown)).hex() == certified, "another result than the certified one")
        return None

    def reconciliation(self) -> None:
        """Issued, cast and counted add up, channel by channel, and the report is the certified
        one."""
        report, result = self.reconciliation_, self.tally_["result"]
        digest = sha256(self.raw["reconciliation.json"]).hex()
        need(digest == self.certified["reconciliation"], "the certificate names another report")
        need(are_counts(report), "not numbers of things that there are")
        named = [line["channel"] for line in report["channels"]]
        need(len(set(named)) == len(named), "channels: one stands twice")
        need(report["eligible"] == len(self.roll_), "other places than on the roll")
        need(report["reconciles"] and not report["differences"], "the report has differences")
        need(report["by_hand"] == result["by_hand"], "hands: another number")
        paper, proxies = report["paper"], report["proxies"]
        fates = ("returned", "spoiled", "unused", "kept", "late", "missing", "unaccounted")
        need(paper["printed"] == sum(paper[fate] for fate in fates), "paper: does not add up")
        need(paper["unaccounted"] == 0, "paper: forms are gone")
        need(paper["returned"] <= paper["issued"], "paper: more came back than were issued")
        need(paper["issued_at_door"] <= paper["issued"], "paper: more at doors than were issued")
        met = proxies["used"] + proxies["revoked"] + proxies["idle"]
        need(proxies["registered"] == met, "proxies: do not add up")
        preset = self.manifest_["preset"]["content"]
        mandates = preset["proxies"]["max_principals"] > 0
        need(mandates or not proxies["registered"], "proxies: the rule knows none")
        second = report["countersigned"]
        signed = second["confirmed"] + second["settled"]
        need(not second["waiting"], "countersigned: somebody did not confirm")
        need(second["entries"] == signed, "countersigned: does not add up")
        helped = sum(
            line["counted"] + line["invalid"]
            for line in report["channels"]
            if line["channel"] == "assisted"
        )
        need(second["entries"] >= helped, "countersigned: fewer than had help")
        silent = report["eligible"] - report["voters"] - report["by_hand"]
        need(report["not_voted"] == max(0, silent), "not voted: another number")
        for line in report["channels"]:
            need(line["channel"] in preset["channels"], f"{line['channel']}: not of the rule")
            came = line["counted"] + line["invalid"] + line["set_aside"] + line["replaced"]
            need(line["cast"] == came, f"{line['channel']}: does not add up")
        on_paper = [line for line in report["channels"] if line["channel"] in ON_PAPER]
        came = sum(line["cast"] for line in on_paper)
        need(paper["returned"] == came, "paper: more or fewer forms than ballots on paper")
        if not self.named:  # a box does not tell by which channel an invalid ballot came
            stand = sum(line["counted"] + line["invalid"] for line in report["channels"])
            need(stand == report["voters"] == len(self.ballots_), "voters: another number")
            opened = sum(line["counted"] + line["invalid"] for line in on_paper)
            sheets = report.get("sheets") or {"envelopes": 0, "entered": 0}
            need(sheets["envelopes"] == opened, "sheets: other envelopes than were handed in")
            need(sheets["entered"] == opened, "sheets: not one for each envelope")
            self.envelopes(report)
            return
        counted = sum(line["counted"] for line in report["channels"])
        invalid = sum(line["invalid"] for line in report["channels"])
        need(report["voters"] == counted + invalid, "voters: do not add up")
        need(counted == result["valid"]["heads"] - result["by_hand"], "counted: another number")
        need(invalid == result["invalid"]["heads"], "invalid: another number")
        if not self.public:
            need(report["channels"] == self.channels(), "channels: not those of the ballots")

    def envelopes(self, report: Json) -> None:
        """Every envelope on the board was opened, or another one of its voter replaced it."""
        line = report.get("envelopes")
        if line is None:
            need(self.manifest_["format"] == "minyi-poll-1", "envelopes: nobody counted them")
            return
        fields(line, "recorded opened replaced", "envelopes")
        need(line["recorded"] == len(self.trees["recorded"]), "envelopes: others on the board")
        need(line["opened"] == len(self.ballots_), "envelopes: other ballots came out")
        need(line["recorded"] == line["opened"] + line["replaced"], "envelopes: do not add up")
        shut = sum(one["replaced"] for one in report["channels"])
        need(line["replaced"] >= shut, "envelopes: fewer replaced than stayed shut")

    def channels(self) -> list[Json]:
        lines: dict[str, dict[str, Json]] = {}
        for row in self.ballots_:
            line = lines.setdefault(
                row["channel"],
                dict.fromkeys(("cast", "counted", "invalid", "set_aside", "replaced"), 0),
            )
            line["cast"] += 1
            if row["set_aside"]:
                line["set_aside"] += 1
            elif self.standing[row["place"]] is not row:
                line["replaced"] += 1
            else:
                line["invalid" if row["choices"] is None else "counted"] += 1
        order = ("electronic", "paper", "show_of_hands", "assisted", "home_visit", "proxy")
        need(set(lines) <= set(order), "a channel that there is not")
        return [{"channel": name, **lines[name]} for name in order if name in lines]

    def certificate(self) -> None:
        """The certificate is of this poll and board, under the board key."""
        c = self.certified
        self.since_newest(c, CERTIFICATE, "public_result", "certificate")
        need((c["v"], c["kind"]) == (1, "certificate"), "not a certificate")
        need((c["poll"], c["manifest"]) == (self.poll, self.digest), "of another poll or manifest")
        last = {
            tree: {name: row[name] for name in ("number", "size", "root")}
            for tree, row in self.last_head.items()
        }
        need(c["heads"] == last, "of another board")
        content = self.certificate_["content"].encode()
        need(
            signed_by(self.manifest_["board_key"], self.certificate_["signature"], content),
            "not signed by the board key",
        )

    def signers(self) -> str | None:
        """Two tellers and a supervisor, three different people, signed this result; and where it
        is close, two other tellers who counted again."""
        people = signers_of(self.certified)
        # a later version is itself another count
        close = self.certified["version"] == 1 and is_close(
            self.manifest_["preset"]["content"], self.tally_["result"]
        )
        need(not close or len(people["recount"]) >= 2, "so close, and not counted again")
        areas = "areas" in self.tally_["withheld"] and self.certified["version"] == 1
        if areas and self.manifest_["preset"]["content"].get("recount") and not people["recount"]:
            return (
                "the signatures are there and no number of heads is close; whether one of areas "
                "is, and asked for another count, this public edition withholds"
            )
        return None

    def corrections(self) -> None:
        """Every earlier version of the result is there, and each names the one it corrects."""
        before = None
        for number, one in enumerate([*self.certificate_["earlier"], self.certificate_], 1):
            content = read_json(one["content"].encode(), f"certificate {number}")
            need(
                signed_by(self.manifest_["board_key"], one["signature"], one["content"].encode()),
                f"version {number}: not signed by the board key",
            )
            self.since_newest(content, CERTIFICATE, "public_result", f"certificate {number}")
            need((content["poll"], content["version"]) == (self.poll, number), "a version missing")
            need(content["manifest"] == self.digest, f"version {number}: of another manifest")
            signers_of(content)
            need(content["corrects"] == before, f"version {number}: corrects another")
            need((content["reason"] is None) == (before is None), f"version {number}: no reason")
            before = sha256(one["content"].encode()).hex()

    def times(self) -> None:
        """Opened, closed, signed and certified, in this order; open as long as the manifest says,
        or extended once, before the end and within what the rule allows; and the board ends with
        the close."""
        m = self.manifest_
        preset = m["preset"]["content"]
        need(self.tally_["closed_at"] == self.certified["closed_at"], "closed at another time")
        opens, closes = instant(m["opens_at"]), instant(m["closes_at"])
        least = timedelta(days=preset["window_days_min"])
        need(closes - opens >= least, "open for less than the rule asks")
        moved = self.certified["extension"]
        if moved is not None:
            fields(moved, "from to at", "extension")
            need(preset["extensions"] > 0, "extended, which the rule does not allow")
            need(moved["from"] == m["closes_at"], "extended from another close, or twice")
            need(opens <= instant(moved["at"]) < closes, "extended at its end or after it")
            need(closes < instant(moved["to"]), "extended to an earlier close")
            closes = instant(moved["to"])
        most = timedelta(days=preset["window_days_max"])
        need(closes - opens <= most, "open for longer than the rule allows")
        closed = instant(self.tally_["closed_at"])
        need(closed >= closes, "closed before its time")
        if closed > closes + LATE:
            self.note(f"closed at {closed:%Y-%m-%d %H:%M}Z, due at {closes:%Y-%m-%d %H:%M}Z")
        signed = [instant(one["at"]) for one in self.certified["signatures"]]
        need(all(at >= closed for at in signed), "signed before the close")
        need(
            instant(self.certified["certified_at"]) >= max(signed), "certified before it was signed"
        )
        self.times_of_heads(opens, closes, closed)

    def times_of_heads(self, opens: datetime, closes: datetime, closed: datetime) -> None:
        """A head tells the hour in which it was made."""
        hour = opens.replace(minute=0, second=0)
        need(all(instant(row["at"]) >= hour for row in self.heads_), "a head before the opening")
        first = [*self.certificate_["earlier"], self.certificate_][0]["content"]
        certified = read_json(first.encode(), "certificate 1")
        for row in self.last_head.values():
            at = instant(row["at"])
            need(at <= instant(certified["certified_at"]), "a head after the certificate")
        hour = closed.replace(minute=0, second=0)
        opened = [instant(row["at"]) for row in self.heads_ if row["tree"] == "opened"]
        need(all(at >= hour for at in opened), "the box was opened before the close")
        signed = [instant(one["at"]) for one in certified["signatures"]]
        need(all(at <= min(signed) for at in opened), "signed before the box was opened")
        after = [
            row for row in self.heads_ if row["tree"] == "recorded" and instant(row["at"]) >= closes
        ]
        if after:
            end = instant(after[0]["at"]) + timedelta(
                seconds=self.manifest_["batches"]["every_seconds"]
            )
            grew = [
                row for row in after if instant(row["at"]) > end and row["size"] > after[0]["size"]
            ]
            need(not grew, "ballots came on the board after the close")

    def receipts(self) -> None:
        """Each receipt is of this poll and genuine, and its ballot is on the board in time."""
        for path in self.options.receipt:
            self.receipt(read_held(path))

    def receipt(self, receipt: Json) -> None:
        text = {
            "v": 1,
            "kind": "receipt",
            "poll": self.poll,
            "manifest": receipt.get("manifest_hash"),
            "leaf": receipt.get("receipt"),
            "include_by": receipt.get("include_by"),
        }
        need(
            signed_by(self.manifest_["board_key"], str(receipt.get("signature")), canonical(text)),
            "not a receipt of this poll",
        )
        need(receipt["manifest_hash"] == self.digest, "given under another manifest")
        if "tracker" in receipt:
            listed = {row["tracker"]: row["choices"] for row in self.ballots_}
            need(receipt["tracker"] in listed, "BREACH: the tracker was not counted")
            # an invalid ballot is listed under a tracker that nobody holds
            valid = listed[receipt["tracker"]] is not None
            need(valid, "BREACH: the ballot of this tracker was made invalid")
        leaf = bytes.fromhex(receipt["receipt"])
        need(leaf in self.trees["recorded"], "BREACH: the ballot is not on the board")
        at = self.trees["recorded"].index(leaf)
        head = next(row for row in self.heads_ if row["tree"] == "recorded" and row["size"] > at)
        need(
            instant(head["at"]) <= instant(receipt["include_by"]),
            f"BREACH: promised for {receipt['include_by']}, on the board at {head['at']}",
        )

    def previous_heads(self) -> None:
        """Each head noted earlier is one of this board: nothing before it was changed."""
        for path in self.options.previous_head:
            self.previous_head(read_held(path))

    def previous_head(self, head: Json) -> None:
        need(
            signed_by(
                self.manifest_["board_key"], str(head.get("signature")), self.head_text(head)
            ),
            "not a head of this poll",
        )
        need(type(head["size"]) is int and head["size"] >= 0, "not a size")
        leaves = self.trees[head["tree"]][: head["size"]]
        need(len(leaves) == head["size"], "FORK: the board is smaller than that head")
        need(root_of(leaves) == head["root"], "FORK: the board is not the one of that head")


def verify(where: Path, options: argparse.Namespace) -> tuple[list[Json], Pack]:
    """Every check, in order: ``state`` is ok, fail or skip, ``why`` what failed or could not be
    looked at. What rests on a check that failed cannot pass either."""
    pack = Pack(where, options)
    done: list[Json] = []
    for name, check in pack.checks():
        says, state = " ".join((check.__doc__ or "").split()), "ok"
        try:
            why = check() or ""
            state = "skip" if why else "ok"
        except Broken as broken:
            state, why = "fail", str(broken)
        except Exception as error:  # whatever a made-up file brings Python to, it does not hold
            state = "fail"
            why = f"cannot be read, or rests on what failed above ({type(error).__name__}: {error})"
        done.append({"check": name, "says": says, "state": state, "why": why})
    return done, pack


def main() -> int:
    parser = argparse.ArgumentParser(description="Check the result pack of a Minyi poll.")
    parser.add_argument("pack", type=Path, help="its folder, or its zip file")
    parser.add_argument("--notice", help="the check code of the manifest in the notice")
    parser.add_argument("--receipt", type=Path, action="append", default=[])
    parser.add_argument("--previous-head", type=Path, action="append", default=[])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    unreadable = why_no_pack(options.pack)
    if unreadable is not None:
        if options.json:
            print(json.dumps({"ok": False, "error": unreadable}))
        else:
            print(shown(unreadable), file=sys.stderr)
        return 2
    done, pack = verify(options.pack, options)
    holds = all(one["state"] != "fail" for one in done)
    skipped = [one["check"] for one in done if one["state"] == "skip"]
    if options.json:
        result = {
            "ok": holds,
            "skipped": skipped,
            "checks": done,
            "notes": pack.notes,
            "ballots": pack.ballots_read,
        }
        print(json.dumps(result))
    else:
        tell(done, pack.notes)
    return 0 if holds else 1


def why_no_pack(where: Path) -> str | None:
    try:
        if where.is_dir():
            os.scandir(where).close()
        elif not zipfile.is_zipfile(where):
            with where.open("rb"):
                return f"{where}: neither a folder nor a zip file"
    except OSError as error:
        return f"cannot read {where}: {error.strerror}"
    return None


def tell(done: list[Json], notes: list[str]) -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    word = {"ok": "ok  ", "fail": "FAIL", "skip": "skip"}
    for one in done:
        print(f"{word[one['state']]} {one['check']:<16} {one['says']}")
        if one["why"]:
            print(f"     {'':<16} → {shown(one['why'])}")
    for text in notes:
        print(f"note {shown(text)}")
    skipped = ", ".join(one["check"] for one in done if one["state"] == "skip")
    if any(one["state"] == "fail" for one in done):
        print("THIS PACK DOES NOT HOLD.")
    elif skipped:
        print(f"Everything that could be checked here holds. NOT checked: {skipped}.")
    else:
        print("Everything holds.")


if __name__ == "__main__":
    sys.exit(main())
