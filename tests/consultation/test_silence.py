import pytest
from sqlalchemy.exc import IntegrityError

from consultation.community.tables import Person
from consultation.database import Database


async def test_a_database_error_does_not_repeat_what_it_was_given(db: Database) -> None:
    with pytest.raises(IntegrityError) as caught:
        async with db.begin() as tx:
            tx.session.add(
                Person(
                    id=tx.new_id(), masked_name="金丝雀", same_as_id=tx.new_id(), created_at=tx.now
                )
            )
    assert "金丝雀" not in str(caught.value)
