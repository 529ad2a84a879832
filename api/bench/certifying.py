"""The count of an invented poll, by the program's own code, and the certificate of it."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from api.bench.honest import Honest, Terms
from api.bench.poll_kinds import ASSISTED, CONFIRMED, PAPER, PROXY, SEALED, E
from consultation.polls import board
from consultation.polls.countersigning import CountersignSubject, Entry, EntryKey
from consultation.polls.counting import HandTotals, Result, Vote, count, result_digest
from consultation.polls.leaves import canonical
from consultation.polls.manifest import voter_of
from consultation.polls.pack import CertificateLine, PackSource, public_result
from consultation.polls.paper import FormFate
from consultation.polls.presets import BallotChannel
from consultation.polls.reconciliation import (
    ON_FORMS,
    CastFact,
    LedgerFacts,
    MandateFact,
    PaperFacts,
    reconcile,
)
from consultation.polls.recounts import is_close

FIRST_FORMAT = "minyi-poll-1"


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
            **_envelopes(source, casts),
        )
    )
    said = report.model_dump(mode="json")
    if is_of_first_format(source):
        del said["envelopes"]
    return said


def is_of_first_format(source: PackSource) -> bool:
    return bool(json.loads(source.manifest)["format"] == FIRST_FORMAT)


def _envelopes(source: PackSource, casts: Sequence[CastFact]) -> dict[str, int]:
    if source.mode is not SEALED:
        return {}
    recorded = len(source.leaves["recorded"])
    opened = len(source.opened)
    return {"recorded": recorded, "replaced": recorded - opened, "counted": opened}


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
        salt=source.result_salt,
    )
    shown = result.model_dump(mode="json")
    last = {head["tree"]: head for head in source.heads}
    report = report_of(source)
    closed = datetime.fromisoformat(source.closed_at)
    signed = closed + timedelta(hours=1 + len(earlier))
    signers = [("teller", "钱*"), ("teller", "郑*"), ("supervisor", "陈**")]
    if not earlier and is_close(terms.preset, result):
        signers += [("teller", "费**"), ("teller", "尤**")]
    # who orders a correction witnesses it before the tellers sign
    witnessed = closed if honest.kind.corrected_early else signed
    content = board.certificate_text(
        poll_id=terms.id,
        manifest=board.text_digest(source.manifest.encode()),
        version=len(earlier) + 1,
        corrects=board.text_digest(earlier[-1].content.encode()) if earlier else None,
        reason="复核后更正" if earlier else None,
        result_digest=digest,
        public_result=board.text_digest(
            canonical(public_result(shown, mode=source.mode, measures=source.measures))
        ),
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
                "at": board.instant(witnessed if role == "supervisor" else signed),
            }
            for number, (role, name) in enumerate(signers, 1)
        ],
        extension=honest.extension,
        closed_at=closed,
        certified_at=signed,
    )
    if is_of_first_format(source):
        content = canonical({n: v for n, v in json.loads(content).items() if n != "public_result"})
    return CertificateLine(
        content=content.decode(),
        signature=key.sign(content),
        result=shown,
        result_digest=digest,
        reconciliation=report,
    )
