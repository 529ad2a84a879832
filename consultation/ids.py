"""One type per identifier, so that a PollId in place of a TopicId is a type error.

Ids are random 128-bit values (version 4): they are shown in public addresses and must not
tell how many things exist or in which order they were made.
"""

import random
import secrets
from collections.abc import Callable
from typing import NewType
from uuid import UUID

PersonId = NewType("PersonId", UUID)
NodeId = NewType("NodeId", UUID)
OrgId = NewType("OrgId", UUID)
AssignmentId = NewType("AssignmentId", UUID)
HouseholdId = NewType("HouseholdId", UUID)
UnitId = NewType("UnitId", UUID)
TopicId = NewType("TopicId", UUID)
DocumentId = NewType("DocumentId", UUID)
TransferId = NewType("TransferId", UUID)
ThreadId = NewType("ThreadId", UUID)
PostId = NewType("PostId", UUID)
StatementId = NewType("StatementId", UUID)
MeetingId = NewType("MeetingId", UUID)
PollId = NewType("PollId", UUID)
ItemId = NewType("ItemId", UUID)
TaskId = NewType("TaskId", UUID)
DissentId = NewType("DissentId", UUID)
SurveyId = NewType("SurveyId", UUID)

NewId = Callable[[], UUID]


def random_id() -> UUID:
    return UUID(bytes=secrets.token_bytes(16), version=4)


def seeded_ids(seed: int) -> NewId:
    """The same ids in the same order, for data sets that must come out byte for byte equal."""
    source = random.Random(seed)  # noqa: S311  reproducible on purpose, demo and tests only
    return lambda: UUID(bytes=source.randbytes(16), version=4)
