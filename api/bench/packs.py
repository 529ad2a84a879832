"""Random honest result packs of every kind, for ``minyi bench verify`` and the tests: invented
polls whose rolls, casts, boards, counts and certificates the program's own pure code makes."""

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

from consultation.polls import board, manifest, merkle, rules
from consultation.polls.countersigning import CountersignState, CountersignSubject, Entry, EntryKey
from consultation.polls.counting import HandTotals, Result, Vote, count, result_digest
from consultation.polls.keys import LocalBoardKey
from consultation.polls.leaves import ballot_leaf, envelope_leaf, leaf_hash, opened_leaf
from consultation.polls.manifest import RollLine, voter_of
from consultation.polls.pack import (
    CastLine,
    CertificateLine,
    Edition,
    OpenedLine,
    PackSource,
    render,
)
from consultation.polls.paper import FormFate
from consultation.polls.presets import BallotChannel, BallotMode, QuestionKind, RulePreset
from consultation.polls.reconciliation import (
    ON_FORMS,
    CastFact,
    LedgerFacts,
    MandateFact,
    PaperFacts,
    reconcile,
)
from consultation.polls.recounts import is_close
from consultation.polls.rules import Option, PollItem, Precedence, precedence

OPENS = datetime(2026, 6, 9, 16, tzinfo=UTC)
CLOSES = OPENS + timedelta(days=7)

GENERAL = ("at_least", "2/3"), ("more_than", "1/2")
STRICT = ("at_least", "2/3"), ("at_least", "3/4")
LOW = ("more_than", "1/10"), ("at_least", "1/3")
OPEN: tuple[None, None] = None, None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What sort of poll to invent. ``bounds`` are turnout and approval; ``vote`` is the chance that
    a place votes; ``agree`` that it votes for the first answer."""

    name: str
    questions: tuple[QuestionKind, ...] = (QuestionKind.MOTION,)
    area: bool = False
    mode: BallotMode = BallotMode.NAMED
    bounds: tuple[tuple[str, str] | None, tuple[str, str] | None] = GENERAL
    binding: bool = True
    channels: tuple[BallotChannel, ...] = (BallotChannel.ELECTRONIC,)
    invalid: float = 0.0
    again: float = 0.0
    vote: float = 0.85
    agree: float = 0.7
    meeting: bool = False
    hands: bool = False
    budget: bool = False
    even: bool = False
    deemed: bool = False
    corrected: bool = False
    extended: bool = False
    places: tuple[int, int] = (3, 60)
    rule: Mapping[str, Any] = field(default_factory=dict)


E, PAPER, HOME = BallotChannel.ELECTRONIC, BallotChannel.PAPER, BallotChannel.HOME_VISIT
ASSISTED, PROXY = BallotChannel.ASSISTED, BallotChannel.PROXY
MOTION, SINGLE, MULTIPLE = (
    QuestionKind.MOTION,
    QuestionKind.SINGLE_CHOICE,
    QuestionKind.MULTIPLE_CHOICE,
)
ELECTION, RATING = QuestionKind.ELECTION, QuestionKind.RATING
REVOTE = {"revote": "last_valid_before_close"}
INVALID_COUNTS = {"invalid": "participating"}
CONFIRMED = CountersignState.CONFIRMED
SEALED = BallotMode.CONFIDENTIAL
RECOUNT = {"recount": {"ballots": 3, "share": "1/200"}}

KINDS: tuple[Kind, ...] = (
    Kind(name="owners", area=True),
    Kind(name="owners-special", area=True, bounds=STRICT, channels=(E, PAPER, ASSISTED)),
    Kind(name="owners-all-channels", area=True, channels=(E, PAPER, HOME, ASSISTED, PROXY),
         again=0.5, invalid=0.1, rule=REVOTE),
    Kind(name="owners-paper-prevails", area=True, channels=(E, PAPER, PROXY), again=0.6,
         rule={"duplicates": "paper_prevails"}),
    Kind(name="several-motions", questions=(MOTION,) * 5, channels=(E, PAPER)),
    Kind(name="revotes", again=0.8, rule=REVOTE),
    Kind(name="invalid-not-taking-part", invalid=0.3, channels=(PAPER,)),
    Kind(name="invalid-taking-part", invalid=0.3, channels=(PAPER,), rule=INVALID_COUNTS),
    Kind(name="single-choice", questions=(SINGLE,), bounds=LOW),
    Kind(name="multiple-choice", questions=(MULTIPLE, MULTIPLE), bounds=LOW),
    Kind(name="election", questions=(ELECTION,), bounds=LOW, rule=INVALID_COUNTS, invalid=0.1),
    Kind(name="election-run-off", questions=(ELECTION,), bounds=STRICT, agree=0.3),
    Kind(name="election-tied", questions=(ELECTION,), bounds=LOW, even=True, vote=1.0),
    Kind(name="rating", questions=(RATING, RATING), bounds=OPEN, binding=False),
    Kind(name="mixed-kinds", questions=(MOTION, SINGLE, MULTIPLE, RATING), bounds=LOW),
    Kind(name="indicative", binding=False),
    Kind(name="opinions", bounds=OPEN, binding=False, questions=(MOTION, SINGLE)),
    Kind(name="meeting", meeting=True, channels=(BallotChannel.SHOW_OF_HANDS,)),
    Kind(name="meeting-hands", meeting=True, hands=True, channels=(PAPER,), vote=0.4),
    Kind(name="budget", questions=(MOTION,) * 6, meeting=True, budget=True,
         channels=(BallotChannel.SHOW_OF_HANDS,)),
    Kind(name="budget-tied", questions=(MOTION,) * 4, budget=True, even=True, vote=1.0),
    Kind(name="zero-ballots", area=True, vote=0.0),
    Kind(name="zero-ballots-sealed", mode=SEALED, vote=0.0),
    Kind(name="one-place", area=True, places=(1, 1), vote=1.0),
    Kind(name="tied", even=True, vote=1.0),
    Kind(name="no-quorum", area=True, vote=0.3),
    Kind(name="deemed", area=True, deemed=True, rule={"silent": "deemed_majority"}),
    Kind(name="sealed", mode=SEALED),
    Kind(name="sealed-paper", mode=SEALED, channels=(E, PAPER), invalid=0.1),
    Kind(name="sealed-election", mode=SEALED, questions=(ELECTION,), bounds=LOW, invalid=0.1),
    Kind(name="sealed-ratings", mode=SEALED, questions=(RATING,) * 3, bounds=OPEN, binding=False),
    Kind(name="sealed-revotes", mode=SEALED, again=0.5, questions=(MOTION, SINGLE), bounds=LOW),
    Kind(name="corrected", area=True, corrected=True, channels=(PAPER, ASSISTED)),
    Kind(name="extended", area=True, extended=True, rule={"extensions": 1}),
    Kind(name="counted-twice", even=True, vote=1.0, rule=RECOUNT),
    Kind(name="election-counted-twice", questions=(ELECTION,), bounds=LOW, even=True, vote=1.0,
         rule=RECOUNT),
    Kind(name="sealed-counted-twice", mode=SEALED, questions=(MOTION, SINGLE, MULTIPLE),
         bounds=LOW, rule=RECOUNT),
    Kind(name="owners-counted-twice", area=True, agree=0.5, rule=RECOUNT),
    Kind(name="large", area=True, places=(400, 900), channels=(E, PAPER)),
)  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Terms:
    """The terms of an invented poll, as the manifest takes them."""

    id: UUID
    round: int = 1
    scope_name: str = "桐荫苑"
    question: str = "是否同意加装电梯"
    items: list[PollItem]
    budget_fen: int | None
    preset: RulePreset
    mode: BallotMode
    text_hash: str | None = None
    roll_version: int = 1
    roll_digest: str | None = None
    opens_at: datetime = OPENS
    closes_at: datetime = CLOSES
    box_public_key: str | None = None


@dataclass(slots=True, kw_only=True)
class Honest:
    """An honest pack with what people around it hold. ``key`` is the board's own, for forgers
    who have it."""

    kind: Kind
    key: LocalBoardKey
    source: PackSource
    terms: Terms
    notice: str
    receipts: list[dict[str, Any]]
    extension: dict[str, str] | None
    earlier_head: dict[str, Any] | None

    def files(self, edition: Edition = Edition.FULL) -> dict[str, bytes]:
        return render(self.source, edition)


def invent(kind: Kind, seed: int) -> Honest:
    """The same kind and seed always give the same pack."""
    luck = random.Random(f"{kind.name} {seed}")  # noqa: S311
    key = LocalBoardKey(luck.randbytes(32))
    terms = _terms(kind, luck)
    secret = luck.randbytes(32)
    roll = _roll(kind, luck, secret)
    terms.roll_digest = luck.randbytes(32).hex()
    content = manifest.build(terms, roll, board_key=key.public)
    digest = manifest.digest(content)
    voters = [line for line in roll if line.voter is not None]
    sealed = kind.mode is SEALED
    casts = [] if sealed else _casts(kind, luck, terms, voters)
    opened, envelopes = _envelopes(kind, luck, terms, voters) if sealed else ([], {})
    recorded = [cast.leaf for cast in casts] + list(envelopes)

    closes = CLOSES + timedelta(days=luck.randrange(1, 30)) if kind.extended else CLOSES
    trees, heads, receipts = _board(luck, key, terms.id, digest, recorded, closes)
    if sealed:
        leaves = trees["opened"] = [opened_hash(terms.id, one) for one in opened]
        heads = [next_head(key, terms.id, digest, "opened", leaves, [], closes), *heads]
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
        closed_at=board.instant(closes + timedelta(seconds=luck.randrange(50))),
        hands=_hands(luck, terms, roll, casts) if kind.hands else None,
        deemed=_silent(luck, roll, casts) if kind.deemed else [],
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
        number = 0
        while number == 0 or (number < 4 and luck.random() < kind.again):
            channel = luck.choice(kind.channels)
            fate = Precedence.REPLACES
            if stands is not None:
                fate = precedence(terms.preset, stands, channel)
            if fate is Precedence.REFUSED:
                break
            number += 1
            choices = None
            if luck.random() >= kind.invalid:
                choices = _answers(kind, luck, terms, turn)
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
            stands = stands if aside else channel
    return casts


def _envelopes(
    kind: Kind, luck: random.Random, terms: Terms, voters: Iterable[RollLine]
) -> tuple[list[OpenedLine], dict[bytes, str | None]]:
    """What came out of the box, and of every envelope that came in the tracker that stands (None
    of a replaced or invalid one)."""
    opened: list[OpenedLine] = []
    envelopes: dict[bytes, str | None] = {}
    for turn, _ in enumerate(voters):
        if luck.random() >= kind.vote:
            continue
        while True:
            leaf = leaf_hash(
                envelope_leaf(poll_id=terms.id, sealed=luck.randbytes(200), salt=luck.randbytes(16))
            )
            envelopes[leaf] = None
            if luck.random() >= kind.again:
                break
        tracker = luck.randbytes(13).hex().upper()
        if luck.random() < kind.invalid:
            opened.append(OpenedLine(tracker=tracker, choices=None))
        else:
            envelopes[leaf] = tracker
            opened.append(OpenedLine(tracker=tracker, choices=_answers(kind, luck, terms, turn)))
    opened.sort(key=lambda one: one.tracker)
    return opened, envelopes


def _board(
    luck: random.Random,
    key: LocalBoardKey,
    poll_id: UUID,
    digest: str,
    leaves: list[bytes],
    closes: datetime,
) -> tuple[dict[str, list[bytes]], list[dict[str, Any]], list[dict[str, Any]]]:
    """The recorded leaves as they came over the days of the poll, and receipts of some."""
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
        heads.append(next_head(key, poll_id, digest, "recorded", tree, heads, closes))
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


def recount(source: PackSource, terms: Terms, *, present: int | None) -> Result:
    """The program's own count of a pack's ballots."""
    ids = {line.number: UUID(int=line.number) for line in source.roll}
    standing = {
        cast.place: cast
        for cast in sorted(source.ballots, key=lambda one: one.cast_no)
        if not cast.set_aside
    }
    votes = [Vote(voter=ids[place], choices=cast.choices) for place, cast in standing.items()]
    votes += [Vote(voter=None, choices=one.choices) for one in source.opened]
    votes += [Vote(voter=ids[place], choices=None, deemed=True) for place in source.deemed]
    hands = None
    if source.hands is not None:
        hands = HandTotals(heads=source.hands["heads"], items=source.hands["items"])
    return count(
        terms.preset,
        terms.items,
        {ids[line.number]: line.area_dm2 for line in source.roll},
        votes,
        present=present,
        budget_fen=terms.budget_fen,
        hands=hands,
    )


def report_of(source: PackSource) -> dict[str, Any]:
    """How a pack's casts add up, by the program's own report. Every paper form is accounted for,
    and every proxy has its mandate."""
    casts = [
        CastFact(
            cast.place,
            cast.cast_no,
            BallotChannel(cast.channel),
            valid=cast.choices is not None,
            set_aside=cast.set_aside,
        )
        for cast in source.ballots
    ]
    if source.mode is SEALED:
        casts = _sealed_casts(source)
    forms = range(1, sum(cast.channel in ON_FORMS for cast in casts) + 1)
    by_hand = source.hands["heads"] if source.hands else 0
    report = reconcile(
        LedgerFacts(
            eligible=len(source.roll),
            casts=casts,
            assisted=sum(cast.channel is ASSISTED for cast in casts),
            turnout=len({cast.place for cast in casts}),
            paper=PaperFacts(
                printed=len(forms),
                issued=frozenset(forms),
                fates=dict.fromkeys(forms, FormFate.RETURNED),
                entered=frozenset(forms),
                sheets=_sheets(casts) if source.mode is SEALED else None,
            ),
            mandates=[
                MandateFact(place, withdrawn=False)
                for place in sorted({cast.place for cast in casts if cast.channel is PROXY})
            ],
            countersigned=[
                Entry(EntryKey(CountersignSubject.ASSISTED, cast.place, cast.cast_no), CONFIRMED)
                for cast in casts
                if cast.channel is ASSISTED
            ],
            by_hand=by_hand,
        )
    )
    return report.model_dump(mode="json")


def _sealed_casts(source: PackSource) -> list[CastFact]:
    """As many as there are ballots; where the rule takes paper every third is, and the first
    voter's own gave way to one from the phone."""
    takes_paper = PAPER in json.loads(source.manifest)["preset"]["content"]["channels"]
    casts = [
        CastFact(
            place, 1, PAPER if takes_paper and place % 3 == 0 else E, valid=True, set_aside=False
        )
        for place in range(1, len(source.opened) + 1)
    ]
    if takes_paper and casts:
        casts.append(CastFact(1, 0, PAPER, valid=True, set_aside=False))
    return casts


def _sheets(casts: Sequence[CastFact]) -> dict[int, bool]:
    stand = sum(cast.channel in ON_FORMS and cast.cast_no > 0 for cast in casts)
    return dict.fromkeys(range(1, stand + 1), True)


def certify(
    honest: Honest, secret: bytes, result: Result, earlier: list[CertificateLine]
) -> CertificateLine:
    source, terms, key = honest.source, honest.terms, honest.key
    digest = result_digest(
        result,
        poll_id=terms.id,
        text_hash=terms.text_hash or "",
        roll_digest=terms.roll_digest or "",
    )
    last = {head["tree"]: head for head in source.heads}
    report = report_of(source)
    closed = datetime.fromisoformat(source.closed_at)
    signed = closed + timedelta(hours=1 + len(earlier))
    signers = [("teller", "钱*"), ("teller", "郑*"), ("supervisor", "陈**")]
    if not earlier and is_close(terms.preset, result):
        signers += [("teller", "费**"), ("teller", "尤**")]
    content = board.certificate_text(
        poll_id=terms.id,
        manifest=board.text_digest(source.manifest.encode()),
        version=len(earlier) + 1,
        corrects=board.text_digest(earlier[-1].content.encode()) if earlier else None,
        reason="复核后更正" if earlier else None,
        result_digest=digest,
        heads={
            tree: {name: head[name] for name in ("number", "size", "root")}
            for tree, head in last.items()
        },
        reconciliation=report,
        signatures=[
            {
                "role": role,
                "recount": number > 3,
                "signer": voter_of(secret, UUID(int=number)),
                "name": name,
                "result_digest": digest,
                "at": board.instant(signed),
            }
            for number, (role, name) in enumerate(signers, 1)
        ],
        extension=honest.extension,
        closed_at=closed,
        certified_at=signed,
    )
    return CertificateLine(
        content=content.decode(),
        signature=key.sign(content),
        result=result.model_dump(mode="json"),
        result_digest=digest,
        reconciliation=report,
    )


def opened_hash(poll_id: UUID, one: OpenedLine) -> bytes:
    choices = None if one.choices is None else dict(one.choices)
    return leaf_hash(opened_leaf(poll_id=poll_id, tracker=one.tracker, choices=choices))
