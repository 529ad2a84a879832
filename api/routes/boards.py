"""Evidence of polls: manifest, board 公示板, proofs, signed receipts and result packs."""

import io
import zipfile
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import Field

from api.dependencies import AnyActor, CurrentActor, Db
from api.pagination import CursorParam, Limit, Page, decode_cursor, encode_cursor
from api.wire import WireOut
from consultation.database import Transaction
from consultation.permissions import Deed
from consultation.polls import board_queries, merkle, queries, receipts
from consultation.polls.board_tables import Tree, TreeHead
from consultation.polls.commands import packing
from consultation.polls.pack import Edition
from consultation.polls.pack_queries import head_line
from consultation.polls.tables import Poll
from consultation.refusals import NotFound

router = APIRouter(prefix="/v1", tags=["boards"])

Hash = Annotated[str, Query(pattern=r"^[0-9a-f]{64}$")]


class LeafNotOnBoard(NotFound):
    """No such leaf is on the board; if it was cast a short while ago, it waits for its batch."""

    code = "leaf-not-on-board"


class NoSuchTree(NotFound):
    """The board has not been, or is not, of that size."""

    code = "no-such-tree"


class ManifestOut(WireOut):
    """``content`` is canonical JSON, to be hashed as it is: its SHA-256 is ``digest``, of which the
    notice of the poll shows the beginning."""

    poll_id: UUID
    version: int
    digest: str
    content: str
    fixed_at: datetime


class TreeHeadOut(WireOut):
    """A signed tree head. ``signature`` is Ed25519 by the board key over the canonical JSON that
    FORMAT.md of the result pack describes; ``at`` is rounded down to the hour."""

    tree: Tree
    number: int
    size: int
    root: str
    prev: str | None
    at: str
    signature: str


class BoardOut(WireOut):
    """``head`` is the last head, null before the first batch. ``leaves`` are hashes from index
    ``start`` on."""

    poll_id: UUID
    manifest_hash: str | None
    board_key: str
    tree: Tree
    head: TreeHeadOut | None
    start: int
    leaves: list[str]
    next_cursor: str | None


class InclusionOut(WireOut):
    """RFC 9162, 2.1.3: ``path`` leads from the leaf at ``index`` to the root of ``head``."""

    leaf: str
    index: int
    path: list[str]
    head: TreeHeadOut


class ConsistencyOut(WireOut):
    """RFC 9162, 2.1.4: that the tree of ``to_size`` leaves begins with that of ``from_size``."""

    from_size: int
    from_root: str
    to_size: int
    to_root: str
    proof: list[str]


class SignedReceiptOut(WireOut):
    """The promise that this leaf is on the board by ``include_by``, signed by the board key. Kept
    as a file, it is what the verifier's ``--receipt`` reads."""

    poll_id: UUID
    receipt: str
    include_by: str
    manifest_hash: str
    signature: str = Field(min_length=128, max_length=128)


@router.get("/polls/{poll_id}/manifest")
async def get_manifest(poll_id: UUID, actor: AnyActor, db: Db) -> ManifestOut:
    """What the poll is about, fixed before it opens: text, rule, roll, mode, keys."""
    async with db.read(actor) as tx:
        poll = await _poll(tx, poll_id)
        found = await board_queries.manifest_of(tx, poll)
    if found is None:
        raise NotFound(what="manifest")
    return ManifestOut.model_validate(found)


@router.get("/polls/{poll_id}/board")
async def get_board(
    poll_id: UUID,
    actor: AnyActor,
    db: Db,
    tree: Tree = Tree.RECORDED,
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
    cursor: CursorParam = None,
) -> BoardOut:
    """The board of a poll: its last head, and its leaves page by page."""
    start = 0 if cursor is None else int(decode_cursor(cursor, 1)[0])
    async with db.read(actor) as tx:
        poll = await _poll(tx, poll_id)
        head = await board_queries.last_head(tx, poll_id, tree)
        found = await board_queries.leaves_page(tx, poll_id, tree, start=start, limit=limit + 1)
        key = tx.board_key.public
    return BoardOut(
        poll_id=poll_id,
        manifest_hash=poll.manifest_hash,
        board_key=key,
        tree=tree,
        head=None if head is None else _head(head),
        start=start,
        leaves=[leaf.hex() for _, leaf in found[:limit]],
        next_cursor=encode_cursor(start + limit) if len(found) > limit else None,
    )


@router.get("/polls/{poll_id}/board/heads")
async def list_tree_heads(
    poll_id: UUID,
    actor: AnyActor,
    db: Db,
    tree: Tree = Tree.RECORDED,
    limit: Limit = 50,
    cursor: CursorParam = None,
) -> Page[TreeHeadOut]:
    """The heads of a tree, first to last; each names the one before."""
    after = 0 if cursor is None else int(decode_cursor(cursor, 1)[0])
    async with db.read(actor) as tx:
        await _poll(tx, poll_id)
        found = await board_queries.heads_page(tx, poll_id, tree, after=after, limit=limit + 1)
    shown = found[:limit]
    more = len(found) > limit
    return Page(
        items=[_head(head) for head in shown],
        next_cursor=encode_cursor(shown[-1].number) if more else None,
    )


@router.get("/polls/{poll_id}/board/inclusion")
async def prove_inclusion(
    poll_id: UUID, leaf: Hash, actor: AnyActor, db: Db, tree: Tree = Tree.RECORDED
) -> InclusionOut:
    """The proof that a leaf (a receipt) is on the board."""
    async with db.read(actor) as tx:
        await _poll(tx, poll_id)
        index = await board_queries.leaf_index(tx, poll_id, tree, bytes.fromhex(leaf))
        head = await board_queries.last_head(tx, poll_id, tree)
        if index is None or head is None:
            raise LeafNotOnBoard()
        hashes = await board_queries.leaf_hashes(tx, poll_id, tree)
    return InclusionOut(
        leaf=leaf,
        index=index,
        path=[step.hex() for step in merkle.inclusion(hashes, index)],
        head=_head(head),
    )


@router.get("/polls/{poll_id}/board/consistency")
async def prove_consistency(
    poll_id: UUID,
    from_size: Annotated[int, Query(alias="from", ge=1)],
    to_size: Annotated[int, Query(alias="to", ge=1)],
    actor: AnyActor,
    db: Db,
    tree: Tree = Tree.RECORDED,
) -> ConsistencyOut:
    """The proof that a later board begins with an earlier one."""
    async with db.read(actor) as tx:
        await _poll(tx, poll_id)
        hashes = await board_queries.leaf_hashes(tx, poll_id, tree)
    if not from_size <= to_size <= len(hashes):
        raise NoSuchTree()
    hashes = hashes[:to_size]
    return ConsistencyOut(
        from_size=from_size,
        from_root=merkle.root(hashes[:from_size]).hex(),
        to_size=to_size,
        to_root=merkle.root(hashes).hex(),
        proof=[step.hex() for step in merkle.consistency(hashes, from_size)],
    )


@router.get("/polls/{poll_id}/ballot/receipt")
async def my_signed_receipt(poll_id: UUID, actor: CurrentActor, db: Db) -> SignedReceiptOut:
    """The signed receipt of the reader's own ballot. Fetch it when the ballot is cast and keep it:
    it is what shows that a ballot was left out."""
    async with db.read(actor) as tx:
        poll = await _poll(tx, poll_id)
        return SignedReceiptOut.model_validate(await receipts.own_receipt(tx, poll))


ZIPPED: dict[int | str, dict[str, object]] = {
    200: {
        "description": "The files of the pack, as FORMAT.md in it describes them",
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@router.get("/polls/{poll_id}/pack", response_class=Response, responses=ZIPPED)
async def get_pack(poll_id: UUID, actor: CurrentActor, db: Db) -> Response:
    """The full result pack: of a named poll for tellers, the supervisor and the owners who decided;
    that it was read is journalled."""
    async with db.begin(actor) as tx:
        files = await packing.make_pack(tx, poll_id, Edition.FULL)
    return _zip(files, f"minyi-{poll_id}.zip")


@router.get("/polls/{poll_id}/pack/public", response_class=Response, responses=ZIPPED)
async def get_public_pack(poll_id: UUID, actor: AnyActor, db: Db) -> Response:
    """The public result pack; of a named poll roll and ballots stay closed in it."""
    async with db.read(actor) as tx:
        files = await packing.make_pack(tx, poll_id, Edition.PUBLIC)
    return _zip(files, f"minyi-{poll_id}-public.zip")


async def _poll(tx: Transaction, poll_id: UUID) -> Poll:
    poll, _ = await queries.access_poll(tx, poll_id, Deed.READ_PUBLIC)
    return poll


def _head(head: TreeHead) -> TreeHeadOut:
    return TreeHeadOut.model_validate(head_line(head))


def _zip(files: Mapping[str, bytes], saved_as: str) -> Response:
    """The same files always make the same bytes: entries by name, all of one time."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            archive.writestr(zipfile.ZipInfo(name), files[name], zipfile.ZIP_DEFLATED)
    return Response(
        packed.getvalue(),
        media_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{saved_as}"'},
    )
