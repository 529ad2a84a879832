"""What is left of a person who closed the account: the words stay, the name goes."""

from uuid import UUID

from sqlalchemy import update
from sqlmodel import col

from consultation.database import Transaction
from consultation.deliberation.rules import RESIDENTS
from consultation.deliberation.tables import Post


async def forget_author(tx: Transaction, person_id: UUID) -> None:
    """A resident's posts become posts of nobody in particular. Who spoke in office stays named:
    that was a public act."""
    await tx.session.exec(
        update(Post)
        .where(
            col(Post.author_id) == person_id,
            col(Post.author_role).in_([role.value for role in RESIDENTS]),
        )
        .values(display_name="")
        .execution_options(synchronize_session=False)
    )
