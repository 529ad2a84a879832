"""Taking back what a person gave: the phone, or the whole account (PIPL 15, 47).

Ballots that were cast and words that were said stay: they are others' too, and name nobody.
"""

from datetime import datetime
from uuid import UUID

from consultation.community import residence_queries as queries
from consultation.community.identity import VerificationMethod
from consultation.community.tables import Person
from consultation.database import Transaction
from consultation.events.people import UserNotified


async def forget_phone(tx: Transaction, person_id: UUID, *, at: datetime | None = None) -> bool:
    """The person took the phone back, at a time if that is known: number and lookup go. A residence
    that was proved by the phone falls to level 1, so that it must be proved again before the next
    vote. False, and nothing goes, if the phone was bound since."""
    person = await queries.person(tx, person_id)
    if person.phone_sealed is None:
        return True
    if at is not None and person.phone_bound_at is not None and at < person.phone_bound_at:
        return False
    person.phone_sealed = person.phone_lookup = person.phone_bound_at = None
    for residence in await queries.residences_of(tx, person_id):
        if residence.method == VerificationMethod.PHONE_MATCH:
            residence.level, residence.method, residence.verified_at = 1, None, None
    _tell(tx, person, "phone_removed")
    return True


async def forget_person(tx: Transaction, person_id: UUID) -> None:
    """The person closed the account: name, phone and date of birth go, claims too, and every
    residence falls to level 1. What a community's own register knows, it may import again."""
    person = await queries.person(tx, person_id)
    person.phone_sealed = person.phone_lookup = person.phone_bound_at = None
    person.name_sealed = person.born_on = None
    person.masked_name = ""
    for residence in await queries.residences_of(tx, person_id):
        residence.level, residence.method, residence.verified_at = 1, None, None
        residence.claim_sealed = residence.refusal_reason = None
    _tell(tx, person, "account_erased")


def _tell(tx: Transaction, person: Person, about: str) -> None:
    tx.emit(
        UserNotified(
            community_id=None, person_id=person.id, about=about, topic_id=None, subject_id=None
        )
    )
