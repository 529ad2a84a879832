"""SQL that collects what a result pack is made of."""

from typing import Any

from sqlmodel import col, select

from consultation.database import Transaction
from consultation.polls import board
from consultation.polls.board_queries import (
    all_heads,
    certificates,
    leaf_hashes,
    manifest_of,
    roll_lines,
)
from consultation.polls.board_tables import TreeHead
from consultation.polls.deeming_queries import deemed_places
from consultation.polls.envelope_tables import OpenedBallot
from consultation.polls.hand_queries import hands_counted
from consultation.polls.pack import CastLine, CertificateLine, OpenedLine, PackNotReady, PackSource
from consultation.polls.presets import BallotMode
from consultation.polls.tables import Ballot, Poll, RollEntry


async def pack_source(tx: Transaction, poll: Poll) -> PackSource:
    """Everything about a certified poll. Refuses with PackNotReady."""
    manifest = await manifest_of(tx, poll)
    certified = await certificates(tx, poll.id)
    if manifest is None or not certified or poll.closed_at is None:
        raise PackNotReady(state=poll.state.value)
    confidential = poll.mode is BallotMode.CONFIDENTIAL
    heads = await all_heads(tx, poll.id)
    hands = await hands_counted(tx, poll)
    return PackSource(
        poll_id=poll.id,
        mode=poll.mode,
        measures=poll.preset.measures,
        manifest=manifest.content,
        roll=await roll_lines(tx, poll),
        ballots=[] if confidential else await _casts(tx, poll),
        opened=await _opened(tx, poll) if confidential else [],
        leaves={tree: await leaf_hashes(tx, poll.id, tree) for tree in {one.tree for one in heads}},
        heads=[head_line(head) for head in heads],
        certificates=[
            CertificateLine(
                content=one.content,
                signature=one.signature,
                result=one.result,
                result_digest=one.result_digest,
                reconciliation=one.reconciliation,
            )
            for one in certified
        ],
        hands=None if hands is None else {"heads": hands.heads, "items": hands.items},
        deemed=await deemed_places(tx, poll),
        result_salt=poll.result_salt,
        closed_at=board.instant(poll.closed_at),
    )


def head_line(head: TreeHead) -> dict[str, Any]:
    return {
        "tree": head.tree.value,
        "number": head.number,
        "size": head.size,
        "root": head.root,
        "prev": head.prev,
        "at": board.instant(head.at),
        "signature": head.signature,
    }


async def _casts(tx: Transaction, poll: Poll) -> list[CastLine]:
    rows = await tx.session.exec(
        select(
            RollEntry.number,
            Ballot.cast_no,
            Ballot.channel,
            Ballot.choices,
            Ballot.salt,
            Ballot.set_aside,
            Ballot.leaf_hash,
        )  # type: ignore[call-overload]
        .join(RollEntry, col(RollEntry.id) == col(Ballot.roll_entry_id))
        .where(Ballot.poll_id == poll.id)
    )
    return [
        CastLine(
            place=number,
            cast_no=cast_no,
            channel=channel.value,
            choices=choices,
            salt=salt,
            set_aside=set_aside,
            leaf=leaf,
        )
        for number, cast_no, channel, choices, salt, set_aside, leaf in rows
    ]


async def _opened(tx: Transaction, poll: Poll) -> list[OpenedLine]:
    rows = await tx.session.exec(
        select(OpenedBallot.tracker, OpenedBallot.choices)
        .where(OpenedBallot.poll_id == poll.id)
        .order_by(col(OpenedBallot.number))
    )
    return [OpenedLine(tracker=tracker, choices=choices) for tracker, choices in rows]
