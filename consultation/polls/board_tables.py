"""The evidence of a poll: its manifest, its board 公示板, the heads signed over it, and the
certificates of its count. Rows are only ever added."""

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import JSON, Index, LargeBinary
from sqlmodel import Field

from consultation.columns import EnumText, Row, ref, text, when


class Tree(StrEnum):
    """The trees of a board."""

    RECORDED = "recorded"  # every cast, or every sealed envelope, while the poll is open
    OPENED = "opened"  # confidential polls: the ballots as they were opened and counted


class PollManifest(Row, table=True):
    """``content`` is canonical JSON (``polls/manifest.py``), ``digest`` its SHA-256 in hex. One
    version for each version of the roll."""

    poll_id: UUID = ref("poll.id", primary_key=True)
    version: int = Field(primary_key=True)
    community_id: UUID = ref("node.id", index=False)
    content: str = text()
    digest: str = Field(max_length=64)
    fixed_at: datetime = when()


class BoardLeaf(Row, table=True):
    """``leaf_hash`` stands at ``idx`` of a tree. A batch is in the order of its hashes, so that the
    board does not tell who voted first."""

    __table_args__ = (Index("ix_board_leaf_leaf_hash", "poll_id", "tree", "leaf_hash"),)

    poll_id: UUID = ref("poll.id", primary_key=True)
    tree: Tree = Field(primary_key=True, sa_type=EnumText(Tree))
    idx: int = Field(primary_key=True)
    community_id: UUID = ref("node.id", index=False)
    leaf_hash: bytes = Field(sa_type=LargeBinary, nullable=False)


class TreeHead(Row, table=True):
    """Head ``number`` (1, 2, …) of a tree: its first ``size`` leaves have this ``root``. ``prev``
    is SHA-256 of the signed text of the head before, ``at`` the time rounded down to the hour.
    What is signed stands in ``polls/board.py``."""

    poll_id: UUID = ref("poll.id", primary_key=True)
    tree: Tree = Field(primary_key=True, sa_type=EnumText(Tree))
    number: int = Field(primary_key=True)
    community_id: UUID = ref("node.id", index=False)
    size: int
    root: str = Field(max_length=64)
    prev: str | None = Field(default=None, max_length=64)
    at: datetime = when()
    signature: str = Field(max_length=128)


class PollCertificate(Row, table=True):
    """A result as it was certified: version 1 by tellers and supervisor, a later one by a recount
    that corrects the one before. ``content`` is canonical JSON, ``signature`` the board key's."""

    poll_id: UUID = ref("poll.id", primary_key=True)
    version: int = Field(primary_key=True)
    community_id: UUID = ref("node.id", index=False)
    result: dict[str, Any] = Field(sa_type=JSON, nullable=False)
    result_digest: str = Field(max_length=64)
    reconciliation: dict[str, Any] = Field(sa_type=JSON, nullable=False)
    content: str = text()
    signature: str = Field(max_length=128)
    at: datetime = when()
