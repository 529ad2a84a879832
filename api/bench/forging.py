"""A forger's workbench: a pack taken apart, to be changed and put together again as well as the
forger can, with the board's key or without it."""

import copy
import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from api.bench import certifying, packs
from api.bench.honest import Honest, Terms
from consultation.polls import board
from consultation.polls.counting import Count, Result, conclude, result_digest
from consultation.polls.keys import LocalBoardKey
from consultation.polls.leaves import canonical, leaf_hash
from consultation.polls.manifest import RollLine, roll_root
from consultation.polls.pack import CastLine, Edition, OpenedLine, PackSource, public_result
from consultation.polls.presets import BallotMode, RulePreset
from consultation.polls.rules import PollItem, text_hash

STRANGER = LocalBoardKey(b"a key of somebody else, 32 bytes")


class NotHere(Exception):
    """This pack has nothing for that mutation; another seed may."""


class Forgery:
    """The files of an honest pack as Python values. ``remake`` puts everything in order again
    under ``key``, so that only what people hold outside the pack can betray it."""

    def __init__(self, honest: Honest, edition: Edition = Edition.FULL) -> None:
        files = honest.files(edition)
        self.honest = honest
        self.key: LocalBoardKey = honest.key
        self.sums_fixed = True
        self.extra: dict[str, bytes] = {}
        self.raw: dict[str, bytes] = {}
        self.without: set[str] = set()
        self.format = files["FORMAT.md"]
        self.sums = files["SHA256SUMS"]
        self.manifest = _value(files, "manifest")
        self.tally = _value(files, "tally")
        self.report = _value(files, "reconciliation")
        self.paper = _value(files, "certificate")
        self.certificate: dict[str, Any] = json.loads(self.paper["content"])
        self.roll = _lines(files, "roll")
        self.ballots = _lines(files, "ballots")
        self.board = _lines(files, "board")
        self.heads = _lines(files, "heads")

    # ---- looking

    @property
    def poll(self) -> UUID:
        return UUID(self.manifest["poll"])

    @property
    def digest(self) -> str:
        return board.text_digest(canonical(self.manifest))

    @property
    def result(self) -> dict[str, Any]:
        return self.tally["result"]

    def cast(self, index: int = 0) -> dict[str, Any]:
        """A valid cast that is the only one of its voter."""
        alone = [
            row
            for row in self.ballots
            if row["choices"] and sum(r["place"] == row["place"] for r in self.ballots) == 1
        ]
        return at(alone, index)

    def cast_of_a_receipt(self) -> dict[str, Any]:
        """An opened ballot whose voter keeps its tracker."""
        held = {one.get("tracker") for one in self.honest.receipts}
        return at([row for row in self.ballots if row["tracker"] in held], 0)

    def tree(self, name: str = "recorded") -> list[dict[str, Any]]:
        return [row for row in self.heads if row["tree"] == name]

    def silent(self) -> dict[str, Any]:
        """A voter who cast nothing."""
        voted = {row["place"] for row in self.ballots}
        return at([r for r in self.roll if r["voter"] and r["number"] not in voted], 0)

    # ---- putting in order again

    def leaf(self, row: Mapping[str, Any]) -> str:
        said = {name: value for name, value in row.items() if name != "set_aside"}
        return leaf_hash(canonical({"v": 1, "poll": str(self.poll), **said})).hex()

    def rehash(self) -> None:
        """Text and roll of the manifest."""
        self.manifest["text_hash"] = text_hash(self.terms())
        root = self.manifest["roll"]
        root["places"] = len(self.roll)
        root["area_dm2"] = sum(row["area_dm2"] for row in self.roll)
        root["root"] = roll_root(self.poll, self._roll())

    def reboard(self) -> None:
        """The trees over the ballots as they are now: leaves that were there keep their order, new
        ones come where old ones are gone, and all heads are signed again."""
        sealed = self.manifest["mode"] != "named"
        rows = {"recorded": [row["leaf"] for row in self.board if row["tree"] == "recorded"]}
        fresh = [self.leaf(row) for row in self.ballots]
        if sealed:
            rows["opened"] = fresh
        else:
            new = [leaf for leaf in fresh if leaf not in set(rows["recorded"])]
            kept = [leaf if leaf in set(fresh) else None for leaf in rows["recorded"]]
            filled = [leaf or (new.pop(0) if new else None) for leaf in kept]
            rows["recorded"] = [leaf for leaf in filled if leaf] + new
        heads = copy.deepcopy(self.heads)
        self.board, self.heads = [], []
        for name in sorted(rows):
            leaves, start, ours = rows[name], 0, [row for row in heads if row["tree"] == name]
            for row in ours:
                last = row is ours[-1]
                end = len(leaves) if last else min(row["size"], len(leaves))
                if name == "recorded":
                    leaves[start:end] = sorted(leaves[start:end])
                start, row["size"] = end, end
            self.board += [
                {"tree": name, "idx": idx, "leaf": leaf} for idx, leaf in enumerate(leaves)
            ]
            self.heads += ours
        self.sign_heads()

    def sign_heads(self) -> None:
        """Roots, links and signatures of the heads, over the board as it is."""
        for name in ("opened", "recorded"):
            leaves = [bytes.fromhex(r["leaf"]) for r in self.board if r["tree"] == name]
            done: list[dict[str, Any]] = []
            for row in self.tree(name):
                hour = datetime.fromisoformat(row["at"])
                head = packs.next_head(
                    self.key, self.poll, self.digest, name, leaves[: row["size"]], done, hour
                )
                row.update(head)
                done.append(row)

    def sign_head(self, row: dict[str, Any]) -> None:
        """Sign one head as it is."""
        text = packs.head_text(
            self.poll, self.digest, {n: v for n, v in row.items() if n != "signature"}
        )
        row["signature"] = self.key.sign(text)

    def recount(self) -> None:
        """The result of the ballots, and how they add up."""
        source, present = self._source(), self.result["present"]
        result = certifying.recount(source, self.terms(), present=present)
        self.tally["result"] = result.model_dump(mode="json")
        self.report = certifying.report_of(source)

    def raise_hands(self, heads: int) -> None:
        """So many hands for the first answer to every item, in the result and in the report. The
        program's own count refuses hands where they cannot be: the forger adds them up himself."""
        terms, known = self.terms(), Result.model_validate(self.result)
        more = Count(heads=heads)
        firsts = {str(item.number): {item.choices[0]: heads} for item in terms.items}
        result = conclude(
            terms.preset,
            terms.items,
            {
                item.number: {
                    one.code: one.votes
                    + (more if one.code in firsts[str(item.number)] else Count())
                    for one in item.tallies
                }
                for item in known.items
            },
            eligible=known.eligible,
            participating=known.participating + more,
            valid=known.valid + more,
            invalid=known.invalid,
            deemed=known.deemed,
            by_hand=heads,
            present=known.present,
            budget_fen=terms.budget_fen,
        )
        self.tally["result"] = result.model_dump(mode="json")
        self.tally["hands"] = {"heads": heads, "items": firsts}
        self.report["by_hand"] = heads
        self.report["not_voted"] = max(0, len(self.roll) - self.report["voters"] - heads)
        self.redigest()
        self.recertify()

    def redigest(self) -> None:
        """Digest of the result, in the tally and under every signature."""
        digest = result_digest(
            Result.model_validate(self.result),
            poll_id=self.poll,
            text_hash=self.manifest["text_hash"],
            roll_digest=self.manifest["roll"]["digest"],
            salt=bytes.fromhex(self.tally["salt"]) if self.tally["salt"] else None,
        )
        self.tally["result_digest"] = self.certificate["result_digest"] = digest
        for one in self.certificate["signatures"]:
            one["result_digest"] = digest

    def recertify(self) -> None:
        """The certificate over board, result and report as they are."""
        self.certificate["manifest"] = self.digest
        self.certificate["poll"] = str(self.poll)
        self.certificate["heads"] = {
            row["tree"]: {name: row[name] for name in ("number", "size", "root")}
            for row in self.heads
        }
        if "public_result" in self.certificate:
            preset = self.manifest["preset"]["content"]
            mode, measures = BallotMode(self.manifest["mode"]), preset["measures"]
            shown = public_result(self.result, mode=mode, measures=measures)
            self.certificate["public_result"] = board.text_digest(canonical(shown))
        self.certificate["reconciliation"] = board.text_digest(canonical(self.report))
        self.sign_certificate()

    def sign_certificate(self) -> None:
        content = canonical(self.certificate)
        self.paper["content"] = content.decode()
        self.paper["signature"] = self.key.sign(content)

    def remake(self, *, count: bool = True) -> None:
        """All of it, as somebody who runs the server could."""
        self.manifest["board_key"] = self.key.public
        self.rehash()
        self.reboard()
        if count:
            self.recount()
        self.redigest()
        self.recertify()

    def terms(self) -> Terms:
        m = self.manifest
        return replace(
            self.honest.terms,
            question=m["question"],
            items=[PollItem.model_validate(item) for item in m["items"]],
            budget_fen=m["budget_fen"],
            preset=RulePreset.model_validate(m["preset"]["content"]),
        )

    def _roll(self) -> list[RollLine]:
        return [RollLine(**{**row, "salt": bytes.fromhex(row["salt"])}) for row in self.roll]

    def _source(self) -> PackSource:
        sealed = self.manifest["mode"] != "named"
        return replace(
            self.honest.source,
            roll=self._roll(),
            ballots=[]
            if sealed
            else [
                CastLine(
                    place=row["place"],
                    cast_no=row["cast"],
                    channel=row["channel"],
                    choices=row["choices"],
                    salt=bytes.fromhex(row["salt"]),
                    set_aside=row["set_aside"],
                    leaf=bytes.fromhex(self.leaf(row)),
                )
                for row in self.ballots
            ],
            opened=[OpenedLine(**row) for row in self.ballots] if sealed else [],
            hands=self.tally["hands"],
            deemed=self.tally["deemed"],
        )

    # ---- handing it out

    def files(self) -> dict[str, bytes]:
        files = {
            "manifest.json": canonical(self.manifest),
            "tally.json": canonical(self.tally),
            "reconciliation.json": canonical(self.report),
            "certificate.json": canonical(self.paper),
            "roll.jsonl": _written(self.roll),
            "ballots.jsonl": _written(self.ballots),
            "board.jsonl": _written(self.board),
            "heads.jsonl": _written(self.heads),
            "FORMAT.md": self.format,
        }
        files = {name: self.raw.get(name, content) for name, content in files.items()}
        files |= self.extra
        for name in self.without:
            del files[name]
        sums = "".join(
            f"{hashlib.sha256(content).hexdigest()}  {name}\n"
            for name, content in sorted(files.items())
        ).encode()
        return files | {"SHA256SUMS": sums if self.sums_fixed else self.sums}


def at(rows: list[Any], index: int) -> Any:
    try:
        return rows[index]
    except IndexError:
        raise NotHere from None


def _value(files: Mapping[str, bytes], name: str) -> dict[str, Any]:
    return json.loads(files[f"{name}.json"])


def _lines(files: Mapping[str, bytes], name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in files[f"{name}.jsonl"].splitlines()]


def _written(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(canonical(row) + b"\n" for row in rows)
