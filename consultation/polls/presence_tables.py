"""Who was present 到会 at a vote in a meeting, fixed before hands go up."""

from uuid import UUID

from consultation.columns import Row, ref


class PollPresence(Row, table=True):
    """One place on the roll that was present when presence was fixed (``poll.presence_fixed_at``).
    These rows, all of them inserted at once, are the base of the vote: who signs in later attends
    the meeting and is not in it."""

    poll_id: UUID = ref("poll.id", primary_key=True)
    roll_entry_id: UUID = ref("roll_entry.id", primary_key=True)
    community_id: UUID = ref("node.id", index=False)
