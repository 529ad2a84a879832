"""Who has an account: the table of log-ins, as far as it is looked at here."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import String, Uuid, column, select, table

from consultation.database import Transaction

ACCOUNTS = table(
    "wechat_account", column("app_id", String), column("openid", String), column("person_id", Uuid)
)
AT_ONCE = 10_000
"""People in one statement; both databases take some thirty thousand parameters."""


async def with_account(tx: Transaction, people: Collection[UUID]) -> set[UUID]:
    """Those of these people who have ever logged in through WeChat."""
    connection = await tx.session.connection()
    found: set[UUID] = set()
    everybody = list(people)
    for start in range(0, len(everybody), AT_ONCE):
        some = everybody[start : start + AT_ONCE]
        rows = await connection.execute(
            select(ACCOUNTS.c.person_id).where(ACCOUNTS.c.person_id.in_(some))
        )
        found.update(rows.scalars())
    return found
