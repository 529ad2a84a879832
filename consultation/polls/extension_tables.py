"""That the close of a poll was moved 延长, once (domain 4.4)."""

from datetime import datetime
from uuid import UUID

from consultation.columns import Row, ref, text, when


class PollExtension(Row, table=True):
    """Before the original end ``from_closes_at`` the close was moved to ``to_closes_at``. The
    primary key refuses a second time."""

    poll_id: UUID = ref("poll.id", primary_key=True)
    community_id: UUID = ref("node.id", index=False)
    from_closes_at: datetime = when()
    to_closes_at: datetime = when()
    reason: str = text()
    by_id: UUID = ref("person.id", index=False)
    at: datetime = when()
