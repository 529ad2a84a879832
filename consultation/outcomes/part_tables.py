"""Which exclusive parts 专有部分 the work uses, and what their owners say."""

from datetime import datetime
from uuid import UUID

from sqlmodel import Field

from consultation.columns import Row, maybe_ref, ref, value, when
from consultation.outcomes.part_rules import UsedPart


class UsedParts(Row, table=True):
    """What a round's work uses, append-only by version; the latest stands. No parts: it uses
    none."""

    topic_id: UUID = ref("topic.id", primary_key=True)
    round: int = Field(primary_key=True)
    version: int = Field(primary_key=True)
    community_id: UUID = ref("node.id", index=False)
    parts: list[UsedPart] = value(list[UsedPart])
    declared_by_id: UUID = ref("person.id", index=False)
    at: datetime = when()


class PartConsent(Row, table=True):
    """An answer of an owner to the use of a part as ``digest`` has it, append-only; the last take
    stands. ``scan_sha256`` and ``recorded_by_id`` when it came on paper."""

    topic_id: UUID = ref("topic.id", primary_key=True)
    unit_id: UUID = ref("property_unit.id", primary_key=True)
    owner_id: UUID = ref("person.id", primary_key=True)
    take: int = Field(primary_key=True)
    community_id: UUID = ref("node.id", index=False)
    digest: str = Field(max_length=64)
    agrees: bool
    scan_sha256: str | None = Field(default=None, max_length=64)
    recorded_by_id: UUID | None = maybe_ref("person.id")
    at: datetime = when()
