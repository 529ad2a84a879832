"""Who was present 到会 at a vote in a meeting, fixed before hands go up."""

from uuid import UUID

from consultation.columns import Row, key, same
from consultation.polls.tables import of_the_roll


class PollPresence(Row, table=True):
    """One place on the roll that was present when presence was fixed (``poll.presence_fixed_at``).
    These rows, all of them inserted at once, are the base of the vote: who signs in later attends
    the meeting and is not in it."""

    __table_args__ = (of_the_roll(),)

    poll_id: UUID = key()
    roll_entry_id: UUID = key()
    community_id: UUID = same()
