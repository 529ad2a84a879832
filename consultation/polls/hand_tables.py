"""A show of hands 举手表决, counted without names."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import JSON
from sqlmodel import Field

from consultation.columns import Row, ref, when


class HandCount(Row, table=True):
    """``heads`` people raised hands or abstained; ``items`` is item number → code → hands, and the
    hands of each item sum up to ``heads``. The last count of a poll stands. ``witness_ids`` are two
    or more people who were there and counted along."""

    poll_id: UUID = ref("poll.id", primary_key=True)
    count_no: int = Field(primary_key=True)
    community_id: UUID = ref("node.id", index=False)
    heads: int
    items: dict[str, dict[str, int]] = Field(sa_type=JSON, nullable=False)
    counted_by_id: UUID = ref("person.id", index=False)
    witness_ids: list[str] = Field(sa_type=JSON, nullable=False)
    at: datetime = when()
