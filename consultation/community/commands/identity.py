"""How an account becomes a person of the register: the phone that both know, or a grid worker.

Accounts themselves (openids, sessions) belong to the surface: a command that joins an account
with a registered person returns that person's id, and the caller moves the account in the same
transaction.
"""

from uuid import UUID

from sqlalchemy.exc import IntegrityError

from consultation.community import residence_queries as queries
from consultation.community.identity import AccountNotProvisional, PhoneInUse, VerificationMethod
from consultation.community.tables import Person
from consultation.database import Transaction
from consultation.events.people import PersonVerified, UserNotified


async def bind_phone(tx: Transaction, phone: str) -> UUID:
    """The acting person has this phone (as ``identity.phone_text`` spells it); WeChat checked it.

    If the register knows somebody by it, the account becomes that person, whose registered
    residences rise to level 2; else the phone is kept with the own person. Returns the id of the
    person the account now belongs to. PhoneInUse if it is the phone of another mere account.
    """
    me = await queries.access_own_person(tx)
    owner = await queries.person_by_phone(tx, phone)
    if owner is None:
        await _keep_phone(tx, me, phone)
    elif owner.id != me.id:
        if await queries.is_provisional(tx, owner):
            raise PhoneInUse()
        me.phone_sealed = me.phone_lookup = me.phone_bound_at = (
            None  # an earlier one, less true than this
        )
        await join(tx, me, owner)
    person = owner or me
    person.phone_bound_at = tx.now

    await _verify_by_phone(tx, person)
    return person.id


async def person_with_phone(tx: Transaction, phone: str) -> UUID:
    """Whoever has just shown to have this phone: the person whom the register or an account knows
    by it, with their registered residences at level 2, else a new one. PhoneInUse if another
    request is making one at this moment."""
    person = await queries.person_by_phone(tx, phone)
    if person is None:
        person = Person(id=tx.new_id(), created_at=tx.now)
        tx.session.add(person)
        await tx.session.flush()
        await _keep_phone(tx, person, phone)
    person.phone_bound_at = tx.now
    await _verify_by_phone(tx, person)
    return person.id


async def join(tx: Transaction, account: Person, registered: Person) -> None:
    """The provisional ``account`` turns out to be ``registered``, who takes over its claims and,
    as it was checked later, its phone. AccountNotProvisional if it holds anything more."""
    if not await queries.is_provisional(tx, account):
        raise AccountNotProvisional()
    phone, bound_at = queries.opened_phone(tx, account), account.phone_bound_at
    account.same_as_id = registered.id
    account.phone_sealed = account.phone_lookup = account.phone_bound_at = None
    await tx.session.flush()  # the phone must be free before another row takes it
    if phone is not None:
        registered.phone_bound_at = bound_at
        await _keep_phone(tx, registered, phone)
    await _move_claims(tx, account, registered)

    for person_id in (account.id, registered.id):
        tx.emit(
            UserNotified(
                community_id=None,
                person_id=person_id,
                about="account_joined",
                topic_id=None,
                subject_id=registered.id,
            )
        )


async def _keep_phone(tx: Transaction, person: Person, phone: str) -> None:
    person.phone_sealed = tx.vault.seal(person.id, phone)
    person.phone_lookup = tx.vault.lookup("phone", phone)
    try:
        await tx.session.flush()
    except IntegrityError:  # another account was faster
        raise PhoneInUse() from None


async def _move_claims(tx: Transaction, account: Person, registered: Person) -> None:
    known = {r.community_id for r in await queries.residences_of(tx, registered.id)}
    for claim in await queries.residences_of(tx, account.id):
        if claim.community_id in known:
            await tx.session.delete(claim)
        else:
            claim.person_id = registered.id
    await tx.session.flush()


async def _verify_by_phone(tx: Transaction, person: Person) -> None:
    """Residences from the register, and not the person's own claims, rise to level 2."""
    for residence in await queries.residences_of(tx, person.id):
        if residence.level >= 2 or residence.claim_sealed is not None:
            continue
        residence.level = 2
        residence.method = VerificationMethod.PHONE_MATCH
        residence.verified_at = tx.now
        tx.emit(
            PersonVerified(
                community_id=residence.community_id,
                person_id=person.id,
                level=2,
                method=VerificationMethod.PHONE_MATCH,
            )
        )
