"""RECONCILIATION 核对: whether everything that was issued, cast and counted adds up. No I/O.

``reconcile`` is one pure function from what the registers of a poll hold to a report of numbers.
It compares registers that were kept apart: the ledger of ballots, the forms, the mandates, the
records of help, the turnout counters and the count. A difference is never explained away here; a
poll with one is not certified (domain 4.4, trust V26).
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from consultation.polls.countersigning import (
    STANDS,
    CountersignaturesMissing,
    CountersignState,
    CountersignSubject,
    Entry,
    EntryKey,
)
from consultation.polls.paper import FormFate
from consultation.polls.presets import BallotChannel, Frozen
from consultation.refusals import NotNow

ON_FORMS = frozenset({BallotChannel.PAPER, BallotChannel.HOME_VISIT})


class PollDoesNotReconcile(NotNow):
    """Issued, cast and counted do not add up; ``differences`` says where. Nobody signs it."""

    code = "poll-does-not-reconcile"


# ---- what is looked at --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CastFact:
    """One cast: of which place on the roll, the how many-th of that voter, and whether it is valid;
    never what it says."""

    place: int
    cast_no: int
    channel: BallotChannel
    valid: bool
    set_aside: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperFacts:
    """``issued`` and ``fates`` by form number, ``at_door`` those of the issued that were brought to
    a home; ``entered`` are forms with two people's entries.
    ``sheets`` are what two people entered alike of a confidential poll, where forms are envelopes:
    number of the sheet and whether it could be read; None of a named poll."""

    printed: int = 0
    issued: frozenset[int] = frozenset()
    at_door: frozenset[int] = frozenset()
    fates: Mapping[int, FormFate] = field(default_factory=dict)
    entered: frozenset[int] = frozenset()
    sheets: Mapping[int, bool] | None = None


@dataclass(frozen=True, slots=True)
class MandateFact:
    """The voter in ``place`` gave a mandate, and may have taken it back."""

    place: int
    withdrawn: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerFacts:
    """All that is compared. ``by_hand`` are hands counted without names at a meeting; ``counted``
    and ``invalid`` are what the stored result holds, None before the count. Of a confidential poll
    ``counted`` holds the invalid ones too, because nobody knows whose they are; ``came_invalid``
    says how many came out of the box, ``recorded`` how many envelopes are on the board, and
    ``replaced`` how many of them were found beneath a later one; None before the opening."""

    eligible: int
    casts: Sequence[CastFact]
    assisted: int
    turnout: int
    paper: PaperFacts = PaperFacts()
    mandates: Sequence[MandateFact] = ()
    countersigned: Sequence[Entry] = ()
    by_hand: int = 0
    present: int | None = None
    counted: int | None = None
    invalid: int | None = None
    came_invalid: int | None = None
    recorded: int | None = None
    replaced: int | None = None


# ---- the report ---------------------------------------------------------------------------------


class ChannelLine(Frozen):
    """``cast`` ballots came in by this channel, and each is exactly one of the others: ``counted``
    and ``invalid`` stand, ``set_aside`` gave way when they came (a duplicate of another channel),
    ``replaced`` gave way later."""

    channel: BallotChannel
    cast: int
    counted: int
    invalid: int
    set_aside: int
    replaced: int


class PaperLine(Frozen):
    """``printed`` = ``returned`` + ``spoiled`` + ``unused`` + ``kept`` + ``late`` + ``missing`` +
    ``unaccounted``; ``issued`` of them went to voters, ``issued_at_door`` of these to their homes.
    """

    printed: int
    issued: int
    issued_at_door: int
    returned: int
    spoiled: int
    unused: int
    kept: int
    late: int
    missing: int
    unaccounted: int


class SheetLine(Frozen):
    """Paper of a confidential poll: ``envelopes`` stood at the close, and ``entered`` sheets came
    out of them and were entered by two people alike. How many could not be read is not said: it is
    part of how those few voted."""

    envelopes: int
    entered: int


class EnvelopeLine(Frozen):
    """Of a confidential poll whose box was opened: of the envelopes ``recorded`` on the board
    ``opened`` came out as ballots and ``replaced`` gave way to a later one of their voter."""

    recorded: int
    opened: int
    replaced: int


class ProxyLine(Frozen):
    """Of ``registered`` mandates: ``used`` ones stand, ``revoked`` gave way to the principal's own
    vote or were taken back, ``idle`` were not used."""

    registered: int
    used: int
    revoked: int
    idle: int


class Difference(Frozen):
    """Two registers that should agree. ``code`` names the comparison."""

    code: str
    expected: int
    found: int


class OpenCountersign(Frozen):
    """An entry that names a second person who did not confirm it; never what the ballot says."""

    subject: CountersignSubject
    number: int
    state: CountersignState


class CountersignLine(Frozen):
    """Of ``entries`` that stand and name a second person, ``confirmed`` by all of these,
    ``settled`` by the supervisor, and the rest."""

    entries: int
    confirmed: int
    settled: int
    waiting: list[OpenCountersign]


class Reconciliation(Frozen):
    """Numbers only: no voter, no choice. ``voters`` have one ballot that stands each."""

    eligible: int
    voters: int
    not_voted: int
    by_hand: int
    channels: list[ChannelLine]
    paper: PaperLine
    sheets: SheetLine | None = None
    envelopes: EnvelopeLine | None = None
    proxies: ProxyLine
    countersigned: CountersignLine
    differences: list[Difference]
    reconciles: bool


class FormsIssued(Frozen):
    """What is told of a poll before its close, to whoever counts: what went out, and nothing that
    grows with a ballot. What came back would be turnout vote by vote, beside the steps in which
    it is shown, and who watches it would learn which ballot came when (trust 5.2, rule 6)."""

    eligible: int
    printed: int
    issued: int
    issued_at_door: int


def forms_issued(report: Reconciliation) -> FormsIssued:
    return FormsIssued(
        eligible=report.eligible,
        printed=report.paper.printed,
        issued=report.paper.issued,
        issued_at_door=report.paper.issued_at_door,
    )


def reconcile(facts: LedgerFacts) -> Reconciliation:
    """Compare the registers of a poll. The order of what is in them makes no difference."""
    standing = _standing(facts.casts)
    channels = [
        _channel(channel, facts.casts, standing)
        for channel in BallotChannel
        if any(cast.channel is channel for cast in facts.casts)
    ]
    paper, proxies = _paper(facts.paper), _proxies(facts, standing)
    voters = len(standing)
    valid = sum(cast.valid for cast in standing.values())

    on_forms = sum(line.cast for line in channels if line.channel in ON_FORMS)
    assisted = sum(line.cast for line in channels if line.channel is BallotChannel.ASSISTED)
    returned = {form for form, fate in facts.paper.fates.items() if fate is FormFate.RETURNED}
    by_proxy = {cast.place for cast in facts.casts if cast.channel is BallotChannel.PROXY}
    wanted: list[tuple[str, int, int]] = [
        ("channels", len(facts.casts), sum(_accounted(line) for line in channels)),
        ("voters", len({cast.place for cast in facts.casts}), voters),
        ("turnout", facts.turnout, voters),
        ("forms_accounted", paper.printed, paper.printed - paper.unaccounted),
        ("forms_in_ledger", paper.returned, on_forms),
        ("forms_issued", len(returned), len(returned & facts.paper.issued)),
        ("forms_unused", paper.unused, _unissued(facts.paper, FormFate.UNUSED)),
        ("assistance", assisted, facts.assisted),
        ("mandates", len(by_proxy), len(by_proxy & {one.place for one in facts.mandates})),
    ]
    sheets = None
    if facts.paper.sheets is None:
        twice = len(returned & facts.paper.entered)
        wanted.append(("forms_entered_twice", len(returned), twice))
    else:
        stand = sum(cast.channel in ON_FORMS for cast in standing.values())
        sheets = SheetLine(envelopes=stand, entered=len(facts.paper.sheets))
        if facts.counted is not None:
            wanted.append(("sheets", stand, len(facts.paper.sheets)))
    envelopes = None
    if facts.recorded is not None and facts.replaced is not None:
        envelopes = EnvelopeLine(
            recorded=facts.recorded, opened=facts.counted or 0, replaced=facts.replaced
        )
        wanted.append(("envelopes", facts.recorded, voters + facts.replaced))
    if facts.counted is not None:
        wanted.append(("counted", facts.counted, valid + facts.by_hand))
    if facts.invalid is not None:
        wanted.append(("invalid", facts.invalid, voters - valid))
    differences = [
        Difference(code=code, expected=expected, found=found)
        for code, expected, found in wanted
        if expected != found
    ]
    unread = sum(not readable for readable in (facts.paper.sheets or {}).values())
    if facts.came_invalid is not None and unread > facts.came_invalid:
        differences.append(
            Difference(code="sheets_invalid", expected=unread, found=facts.came_invalid)
        )
    countersigned = _countersigned(facts, standing)
    most = facts.eligible if facts.present is None else facts.present
    taking_part = voters + facts.by_hand
    if taking_part > most:
        differences.append(Difference(code="more_than_entitled", expected=most, found=taking_part))
    return Reconciliation(
        eligible=facts.eligible,
        voters=voters,
        not_voted=max(0, facts.eligible - taking_part),
        by_hand=facts.by_hand,
        channels=channels,
        paper=paper,
        sheets=sheets,
        envelopes=envelopes,
        proxies=proxies,
        countersigned=countersigned,
        differences=differences,
        reconciles=not (differences or countersigned.waiting),
    )


def check_reconciled(report: Reconciliation) -> None:
    """Refuses with PollDoesNotReconcile or CountersignaturesMissing."""
    if report.differences:
        raise PollDoesNotReconcile(
            differences=[f"{one.code} {one.expected}/{one.found}" for one in report.differences]
        )
    if report.countersigned.waiting:
        raise CountersignaturesMissing(
            entries=[
                f"{one.subject} {one.number} {one.state}" for one in report.countersigned.waiting
            ]
        )


def _standing(casts: Collection[CastFact]) -> dict[int, CastFact]:
    """Of each voter's casts, the last that was not set aside."""
    standing: dict[int, CastFact] = {}
    for cast in casts:
        known = standing.get(cast.place)
        if not cast.set_aside and (known is None or cast.cast_no > known.cast_no):
            standing[cast.place] = cast
    return standing


def _channel(
    channel: BallotChannel, casts: Collection[CastFact], standing: Mapping[int, CastFact]
) -> ChannelLine:
    became: Counter[str] = Counter()
    for cast in casts:
        if cast.channel is not channel:
            continue
        if cast.set_aside:
            became["set_aside"] += 1
        elif standing[cast.place] != cast:
            became["replaced"] += 1
        else:
            became["counted" if cast.valid else "invalid"] += 1
    return ChannelLine(
        channel=channel,
        cast=became.total(),
        counted=became["counted"],
        invalid=became["invalid"],
        set_aside=became["set_aside"],
        replaced=became["replaced"],
    )


def _accounted(line: ChannelLine) -> int:
    return line.counted + line.invalid + line.set_aside + line.replaced


def _paper(facts: PaperFacts) -> PaperLine:
    met = Counter(fate for form, fate in facts.fates.items() if 1 <= form <= facts.printed)
    return PaperLine(
        printed=facts.printed,
        issued=len(facts.issued),
        issued_at_door=len(facts.at_door),
        **{fate.value: met[fate] for fate in FormFate},
        unaccounted=facts.printed - met.total(),
    )


def _countersigned(facts: LedgerFacts, standing: Mapping[int, CastFact]) -> CountersignLine:
    """Of the entries of one place the last counts, if its ballot stands; of hands the last count;
    of forms at a door those that came back."""
    last: dict[tuple[CountersignSubject, int], Entry] = {}
    for entry in sorted(facts.countersigned, key=lambda one: (one.key.number, one.key.turn)):
        hands = entry.key.subject is CountersignSubject.HANDS
        last[entry.key.subject, 0 if hands else entry.key.number] = entry
    stand = [entry for entry in last.values() if _stands(entry.key, facts, standing)]
    states = Counter(entry.state for entry in stand)
    return CountersignLine(
        entries=len(stand),
        confirmed=states[CountersignState.CONFIRMED],
        settled=states[CountersignState.SETTLED],
        waiting=[
            OpenCountersign(subject=one.key.subject, number=one.key.number, state=one.state)
            for one in sorted(stand, key=lambda one: (one.key.subject.value, one.key.number))
            if one.state not in STANDS
        ],
    )


def _stands(key: EntryKey, facts: LedgerFacts, standing: Mapping[int, CastFact]) -> bool:
    match key.subject:
        case CountersignSubject.ASSISTED:
            cast = standing.get(key.number)
            return cast is not None and cast.channel is BallotChannel.ASSISTED
        case CountersignSubject.HOME_VISIT:
            return facts.paper.fates.get(key.number) is FormFate.RETURNED
        case CountersignSubject.HANDS:
            return True


def _unissued(facts: PaperFacts, fate: FormFate) -> int:
    return sum(one is fate and form not in facts.issued for form, one in facts.fates.items())


def _proxies(facts: LedgerFacts, standing: Mapping[int, CastFact]) -> ProxyLine:
    used = revoked = 0
    for mandate in facts.mandates:
        cast = standing.get(mandate.place)
        by_holder = cast is not None and cast.channel is BallotChannel.PROXY
        if mandate.withdrawn or (cast is not None and not by_holder):
            revoked += 1
        elif by_holder:
            used += 1
    registered = len(facts.mandates)
    return ProxyLine(
        registered=registered, used=used, revoked=revoked, idle=registered - used - revoked
    )
