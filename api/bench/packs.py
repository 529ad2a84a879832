"""Random honest result packs of every kind, for ``minyi bench verify`` and the tests: invented
polls whose rolls, casts, boards, counts and certificates the program's own pure code makes."""

import random
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from api.bench.certifying import FIRST_FORMAT, certify, recount
from api.bench.honest import Honest, Terms
from api.bench.poll_kinds import (
    CLOSES,
    ELECTION,
    MOTION,
    OPENS,
    PAPER,
    RATING,
    SEALED,
    SINGLE,
    Kind,
)
from consultation.polls import board, manifest, merkle, rules
from consultation.polls.keys import LocalBoardKey
from consultation.polls.leaves import SALT_BYTES, ballot_leaf, envelope_leaf, leaf_hash, opened_leaf
from consultation.polls.manifest import RollLine, voter_of
from consultation.polls.pack import CastLine, CertificateLine, OpenedLine, PackSource
from consultation.polls.precedence import Precedence, precedence
from consultation.polls.presets import BallotChannel, QuestionKind, RulePreset
from consultation.polls.rules import Option, PollItem


def invent(kind: Kind, seed: int) -> Honest:
    """The same kind and seed always give the same pack."""
    luck = random.Random(f"{kind.name} {seed}")  # noqa: S311
    key = LocalBoardKey(luck.randbytes(32))
    terms = _terms(kind, luck)
    secret = luck.randbytes(32)
    roll = _roll(kind, luck, secret)
    terms.roll_digest = luck.randbytes(32).hex()
    content = manifest.build(terms, roll, board_key=key.public)
    if kind.first_format:
        content["format"] = FIRST_FORMAT
    digest = manifest.digest(content)
    voters = [line for line in roll if line.voter is not None]
    sealed = kind.mode is SEALED
    casts = [] if sealed else _casts(kind, luck, terms, voters)
    opened, envelopes = _envelopes(kind, luck, terms, voters) if sealed else ([], {})
    recorded = [cast.leaf for cast in casts] + list(envelopes)

    closes = CLOSES + timedelta(days=luck.randrange(1, 30)) if kind.extended else CLOSES
    closed = closes + timedelta(seconds=luck.randrange(50))
    if kind.late:
        closed += timedelta(hours=luck.randrange(25, 100))
    end = board.to_the_hour(closed)
    trees, heads, receipts = _board(luck, key, terms.id, digest, recorded, closes, end=end)
    if kind.late:  # the last of them were promised for days on which the server was down
        in_time = set(trees["recorded"][: heads[-2]["size"] if len(heads) > 1 else 0])
        receipts = [one for one in receipts if bytes.fromhex(one["receipt"]) in in_time]
    if sealed:
        leaves = trees["opened"] = [opened_hash(terms.id, one) for one in opened]
        heads = [next_head(key, terms.id, digest, "opened", leaves, [], end), *heads]
        for receipt in receipts:  # the voter's client works the tracker out for itself
            tracker = envelopes[bytes.fromhex(receipt["receipt"])]
            receipt.update({} if tracker is None else {"tracker": tracker})

    source = PackSource(
        poll_id=terms.id,
        mode=kind.mode,
        measures=terms.preset.measures,
        manifest=manifest.canonical(content).decode(),
        roll=roll,
        ballots=casts,
        opened=opened,
        leaves=trees,
        heads=heads,
        certificates=[],
        closed_at=board.instant(closed),
        hands=_hands(luck, terms, roll, casts) if kind.hands else None,
        deemed=_silent(luck, roll, casts) if kind.deemed else [],
        result_salt=None if kind.first_format else luck.randbytes(SALT_BYTES),
    )
    honest = Honest(
        kind=kind,
        key=key,
        source=source,
        terms=terms,
        notice=digest[:16],
        receipts=receipts,
        extension=_extension(luck, closes) if kind.extended else None,
        earlier_head=heads[-2] if len(heads) > 1 and heads[-2]["tree"] == "recorded" else None,
    )
    result = recount(source, terms, present=_present(kind, luck, source))
    certificates: list[CertificateLine] = []
    if kind.corrected:
        wrong = result.model_copy(update={"by_hand": 1})
        certificates.append(certify(honest, secret, wrong, []))
    certificates.append(certify(honest, secret, result, certificates))
    honest.source = replace(source, certificates=certificates)
    return honest


def _extension(luck: random.Random, closes: datetime) -> dict[str, str]:
    at = CLOSES - timedelta(minutes=luck.randrange(1, 3000))
    return board.extension_line(old=CLOSES, new=closes, at=at)


def _terms(kind: Kind, luck: random.Random) -> Terms:
    def bounds(bound: tuple[str, str] | None, of: str) -> list[dict[str, str]]:
        if bound is None:
            return []
        measures = ["heads", "area"] if kind.area else ["heads"]
        return [{"measure": one, "of": of, bound[0]: bound[1]} for one in measures]

    turnout, approval = kind.bounds
    base = "present" if kind.meeting else "participating"
    preset = RulePreset.model_validate(
        {
            "id": kind.name.replace("-", "_"),
            "version": date(2026, 1, 1),
            "effective_from": date(2026, 1, 1),
            "name_zh": "试验规则",
            "name_en": "A rule for trials",
            "layer": "owners",
            "electorate": "owners",
            "measures": ["heads", "area"] if kind.area else ["heads"],
            "turnout": bounds(turnout, "eligible"),
            "approval": bounds(approval, base),
            "allocation": "budget_in_vote_order" if kind.budget else "none",
            "binding": kind.binding,
            "held_in_meeting": kind.meeting,
            "window_days_min": 5,
            "window_days_default": 7,
            "window_days_max": 60,
            "extensions": 0,
            "notice_days": 15,
            "objection_days": 7,
            "questions": sorted({one.value for one in kind.questions}),
            "modes": [kind.mode.value],
            "channels": [one.value for one in kind.channels],
            "legal_basis": ["试验"],
            "verification": "product",
            **kind.rule,
        }
    )
    items = [_item(number, one, kind, luck) for number, one in enumerate(kind.questions, 1)]
    terms = Terms(
        id=UUID(bytes=luck.randbytes(16), version=4),
        items=items,
        budget_fen=luck.randrange(1, 30) * 1_000_000 if kind.budget else None,
        preset=preset,
        mode=kind.mode,
        box_public_key=luck.randbytes(32).hex() if kind.mode is SEALED else None,
    )
    terms.text_hash = rules.text_hash(terms)
    return terms


def _item(number: int, kind: QuestionKind, poll: Kind, luck: random.Random) -> PollItem:
    text = f"第{number}项"
    if kind is MOTION:
        cost = luck.randrange(1, 12) * 1_000_000 if poll.budget else None
        return PollItem(number=number, text=text, cost_fen=cost)
    codes = [f"o{n}" for n in range(1, luck.randrange(3, 7))]
    options = [Option(code=code, text=f"选项{code}") for code in codes]
    seats = luck.randrange(1, len(codes)) if kind is ELECTION else None
    most = 1 if kind in (SINGLE, RATING) else seats or luck.randrange(1, len(codes) + 1)
    return PollItem(number=number, text=text, kind=kind, options=options, most=most, seats=seats)


def _roll(kind: Kind, luck: random.Random, secret: bytes) -> list[RollLine]:
    areas = [6835, 7420, 8812, 9001, 12000, 13377]
    size = luck.randint(*kind.places)
    if kind.even:
        size += size % 2
    return [
        RollLine(
            number=number,
            voter=None
            if size > 4 and not kind.even and luck.random() < 0.08
            else voter_of(secret, UUID(bytes=luck.randbytes(16))),
            area_dm2=luck.choice(areas) + luck.randrange(50) if kind.area else 0,
            units=luck.randrange(1, 4) if kind.area else 0,
            salt=luck.randbytes(16),
        )
        for number in range(1, size + 1)
    ]


def _answers(kind: Kind, luck: random.Random, terms: Terms, turn: int) -> rules.Choices:
    """A ballot; of an even poll, by turns, the first and the second answer."""
    given: list[tuple[int, list[str]]] = []
    for item in terms.items:
        codes = [option.code for option in item.options] or ["for", "against"]
        if kind.even:
            given.append((item.number, [codes[turn % 2]]))
        elif luck.random() < kind.agree:
            given.append((item.number, codes[: luck.randint(1, item.most)]))
        elif luck.random() < 0.3:
            given.append((item.number, [luck.choice(item.choices)]))
        else:
            given.append((item.number, luck.sample(codes, luck.randint(1, item.most))))
    return rules.check_ballot(terms.items, given)


def _casts(
    kind: Kind, luck: random.Random, terms: Terms, voters: Iterable[RollLine]
) -> list[CastLine]:
    casts: list[CastLine] = []
    for turn, line in enumerate(voters):
        if luck.random() >= kind.vote:
            continue
        stands: BallotChannel | None = None
        stands_valid = True
        number = 0
        while number == 0 or (number < 4 and luck.random() < kind.again):
            channel = luck.choice(kind.channels)
            valid = luck.random() >= kind.invalid
            fate = Precedence.REPLACES
            if stands is not None:
                fate = precedence(
                    terms.preset, stands, channel, stands_valid=stands_valid, comes_valid=valid
                )
            if fate is Precedence.REFUSED:
                break
            number += 1
            choices = _answers(kind, luck, terms, turn) if valid else None
            salt = luck.randbytes(16)
            leaf = ballot_leaf(
                poll_id=terms.id,
                place=line.number,
                cast_no=number,
                channel=channel,
                choices=choices,
                salt=salt,
            )
            aside = fate is Precedence.SET_ASIDE
            casts.append(
                CastLine(
                    place=line.number,
                    cast_no=number,
                    channel=channel.value,
                    choices=choices,
                    salt=salt,
                    set_aside=aside,
                    leaf=leaf_hash(leaf),
                )
            )
            if not aside:
                stands, stands_valid = channel, valid
    return casts


def _envelopes(
    kind: Kind, luck: random.Random, terms: Terms, voters: Iterable[RollLine]
) -> tuple[list[OpenedLine], dict[bytes, str | None]]:
    """What came out of the box, and of every envelope that came in the tracker that stands (None
    of a replaced or invalid one)."""
    opened: list[OpenedLine] = []
    envelopes: dict[bytes, str | None] = {}

    def came_in() -> bytes:
        text = envelope_leaf(poll_id=terms.id, sealed=luck.randbytes(200), salt=luck.randbytes(16))
        envelopes[leaf_hash(text)] = None
        return leaf_hash(text)

    for turn, _ in enumerate(voters):
        if luck.random() >= kind.vote:
            continue
        while True:
            leaf = came_in()
            if luck.random() >= kind.again:
                break
        tracker = luck.randbytes(13).hex().upper()
        if luck.random() < kind.invalid:
            opened.append(OpenedLine(tracker=tracker, choices=None))
        else:
            envelopes[leaf] = tracker
            opened.append(OpenedLine(tracker=tracker, choices=_answers(kind, luck, terms, turn)))
    if opened and PAPER in kind.channels:  # that of ``certifying``, which gave way to a phone
        came_in()
    opened.sort(key=lambda one: one.tracker)
    return opened, envelopes


def _board(
    luck: random.Random,
    key: LocalBoardKey,
    poll_id: UUID,
    digest: str,
    leaves: list[bytes],
    closes: datetime,
    *,
    end: datetime,
) -> tuple[dict[str, list[bytes]], list[dict[str, Any]], list[dict[str, Any]]]:
    """The recorded leaves as they came until the close, the last of them at its ``end``, and their
    receipts."""
    came = sorted(
        (OPENS + luck.random() * (closes - OPENS - timedelta(minutes=1)), leaf) for leaf in leaves
    )
    receipts = [
        {
            "poll_id": str(poll_id),
            "receipt": leaf.hex(),
            "include_by": board.instant(board.include_by(at)),
            "manifest_hash": digest,
            "signature": key.sign(
                board.receipt_text(
                    poll_id=poll_id, manifest=digest, leaf=leaf.hex(), by=board.include_by(at)
                )
            ),
        }
        for at, leaf in came
    ]
    tree: list[bytes] = []
    heads: list[dict[str, Any]] = []
    last: datetime | None = None
    now = board.next_round(OPENS)
    while now < closes:
        waiting = sorted(leaf for at, leaf in came[len(tree) :] if at < now)
        if board.batch_is_due(len(waiting), last, now):
            tree += waiting
            last = board.to_the_hour(now)
            heads.append(next_head(key, poll_id, digest, "recorded", tree, heads, last))
        now = board.next_round(now)
    rest = sorted(leaf for _, leaf in came[len(tree) :])
    if rest or not heads:
        tree += rest
        heads.append(next_head(key, poll_id, digest, "recorded", tree, heads, end))
    return {"recorded": tree}, heads, receipts


def next_head(
    key: LocalBoardKey,
    poll_id: UUID,
    digest: str,
    tree: str,
    leaves: list[bytes],
    before: list[dict[str, Any]],
    at: datetime,
) -> dict[str, Any]:
    """The head over ``leaves`` that follows the heads ``before`` of the same tree."""
    prev = board.text_digest(head_text(poll_id, digest, before[-1])) if before else None
    said: dict[str, Any] = {
        "tree": tree,
        "number": len(before) + 1,
        "size": len(leaves),
        "root": merkle.root(leaves).hex(),
        "prev": prev,
        "at": board.instant(at),
    }
    return {**said, "signature": key.sign(head_text(poll_id, digest, said))}


def head_text(poll_id: UUID, digest: str, head: Mapping[str, Any]) -> bytes:
    said = {name: value for name, value in head.items() if name not in ("signature", "at")}
    at = datetime.fromisoformat(head["at"])
    return board.head_text(poll_id=poll_id, manifest=digest, at=at, **said)


def _hands(
    luck: random.Random, terms: Terms, roll: list[RollLine], casts: list[CastLine]
) -> dict[str, Any]:
    """Hands of members who are present without a ballot of their own."""
    heads = luck.randint(0, len(roll) - len({cast.place for cast in casts}))
    shown: dict[str, dict[str, int]] = {}
    for item in terms.items:
        rest, hands = heads, {}
        for code in item.choices[:-1]:
            hands[code] = luck.randint(0, rest)
            rest -= hands[code]
        shown[str(item.number)] = {**hands, item.choices[-1]: rest}
    return {"heads": heads, "items": shown}


def _silent(luck: random.Random, roll: list[RollLine], casts: list[CastLine]) -> list[int]:
    voted = {cast.place for cast in casts}
    silent = [line.number for line in roll if line.voter and line.number not in voted]
    return sorted(luck.sample(silent, luck.randint(0, len(silent))))


def _present(kind: Kind, luck: random.Random, source: PackSource) -> int | None:
    if not kind.meeting:
        return None
    took_part = len({cast.place for cast in source.ballots})
    took_part += source.hands["heads"] if source.hands else 0
    return luck.randint(took_part, len(source.roll))


def opened_hash(poll_id: UUID, one: OpenedLine) -> bytes:
    choices = None if one.choices is None else dict(one.choices)
    return leaf_hash(opened_leaf(poll_id=poll_id, tracker=one.tracker, choices=choices))
