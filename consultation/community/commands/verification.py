"""A person says where they live; a grid worker looks in the register and says yes or no."""

from dataclasses import dataclass
from uuid import UUID

from consultation.community import residence_queries as queries
from consultation.community.commands.identity import join
from consultation.community.identity import (
    CannotVerifyOneself,
    HomeNotHere,
    NameMissing,
    NotOfThisHome,
    PhoneNotBound,
    ResidenceAlreadyVerified,
    VerificationMethod,
)
from consultation.community.rules import mask_name
from consultation.community.tables import Person, Residence, ResidenceKind
from consultation.database import Transaction
from consultation.events.people import PersonVerified, UserNotified
from consultation.permissions import Deed, Grant, grant_of


@dataclass(frozen=True, slots=True)
class Verified:
    """``joined`` is the account that became the residence's person, if it did: whoever keeps
    accounts must move them in the same transaction."""

    residence: Residence
    joined: UUID | None


async def claim_residence(
    tx: Transaction,
    community_id: UUID,
    *,
    kind: ResidenceKind,
    address: str,
    place_id: UUID | None,
    name: str | None,
) -> Residence:
    """The acting person claims to belong to a community, at level 1; the last claim stands.

    ``place_id`` is a grid or a building or entrance, which brings the claim to its grid worker;
    without one the clerk decides. ``name`` is needed until the person has one.
    """
    community = await queries.access_community(tx, community_id, Deed.READ_PUBLIC)
    me = await queries.access_own_person(tx)
    if me.phone_lookup is None:
        raise PhoneNotBound()
    residence = await queries.residence_in(tx, me.id, community.id)
    if residence is not None and residence.level >= 2:
        raise ResidenceAlreadyVerified()
    grid_id = None if place_id is None else await queries.grid_of(tx, community.id, place_id)
    if name is not None and await queries.is_provisional(tx, me):
        me.name_sealed = tx.vault.seal(me.id, name)
        me.masked_name = mask_name(name)
    if me.name_sealed is None:
        raise NameMissing()

    if residence is None:
        residence = Residence(
            id=tx.new_id(),
            person_id=me.id,
            community_id=community.id,
            kind=kind,
            level=1,
            created_at=tx.now,
        )
        tx.session.add(residence)
    residence.kind = kind
    residence.grid_id = grid_id
    residence.claim_sealed = tx.vault.seal(residence.id, address)
    residence.refused_at = residence.refusal_reason = None
    await tx.session.flush()
    return residence


async def verify_claim(
    tx: Transaction,
    residence_id: UUID,
    *,
    household_id: UUID | None,
    unit_id: UUID | None,
    registered_person_id: UUID | None,
) -> Verified:
    """The register has the claimed home: level 2.

    The worker names the household, or the unit for somebody without one here, in the own grid
    (a clerk: in the community). When the register knows the person, as owner of the unit or
    representative of the household, ``registered_person_id`` says so, and the account becomes
    that person.
    """
    claim = await queries.access_claim(tx, residence_id, lock=True)
    claimant = await queries.person(tx, claim.person_id)
    if tx.person_id in (claimant.id, registered_person_id):
        raise CannotVerifyOneself()
    home = await queries.home(tx, claim.community_id, household_id=household_id, unit_id=unit_id)
    if home is None:
        raise HomeNotHere()
    own_grid_only = grant_of(Deed.VERIFY_RESIDENT, tx.standing.role) is Grant.OWN
    if own_grid_only and home.grid_id != tx.standing.node_id:
        raise HomeNotHere()
    kept = None
    if registered_person_id is not None:
        kept = await _recognise(tx, claim, claimant, registered_person_id, home)
    residence = kept or claim
    if kept is None:
        residence.household_id, residence.unit_id = home.household_id, home.unit_id
        residence.grid_id = home.grid_id

    residence.level = 2
    residence.method = VerificationMethod.GRID_WORKER
    residence.verified_by_id = tx.person_id
    residence.verified_at = tx.now
    residence.claim_sealed = None  # checked, and so no longer needed
    residence.refused_at = residence.refusal_reason = None
    await tx.session.flush()

    tx.emit(
        PersonVerified(
            community_id=residence.community_id,
            person_id=residence.person_id,
            level=2,
            method=VerificationMethod.GRID_WORKER,
        )
    )
    _tell(tx, residence, "residence_verified")
    return Verified(residence, None if registered_person_id is None else claimant.id)


async def _recognise(
    tx: Transaction, claim: Residence, claimant: Person, registered_id: UUID, home: queries.Home
) -> Residence | None:
    """Join the claimant with the registered person; returns the residence that this person had
    here before, which then stands in place of the claim."""
    if registered_id not in home.people:
        raise NotOfThisHome()
    kept = await queries.residence_in(tx, registered_id, claim.community_id)
    await join(tx, claimant, await queries.person(tx, registered_id))
    return kept


async def refuse_claim(tx: Transaction, residence_id: UUID, *, reason: str) -> Residence:
    """The claim cannot be confirmed; the person sees why and may claim again."""
    claim = await queries.access_claim(tx, residence_id, lock=True)
    if claim.person_id == tx.person_id:
        raise CannotVerifyOneself()

    claim.refused_at = tx.now
    claim.refusal_reason = reason

    _tell(tx, claim, "residence_claim_refused")
    return claim


def _tell(tx: Transaction, residence: Residence, about: str) -> None:
    tx.emit(
        UserNotified(
            community_id=residence.community_id,
            person_id=residence.person_id,
            about=about,
            topic_id=None,
            subject_id=residence.id,
        )
    )
