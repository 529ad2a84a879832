"""Which exclusive parts the work uses is declared, and their owners agree or not."""

from collections.abc import Collection, Sequence
from uuid import UUID

from consultation.database import Transaction
from consultation.events.outcomes import UsedPartsDeclared
from consultation.events.people import PartConsentAnswered, PartConsentAsked
from consultation.outcomes import part_queries as queries
from consultation.outcomes import part_rules as rules
from consultation.outcomes.part_queries import PartView
from consultation.outcomes.part_rules import UsedPart
from consultation.outcomes.part_tables import PartConsent, UsedParts
from consultation.outcomes.tasks import check_own
from consultation.permissions import Deed
from consultation.topics.queries import access_topic
from consultation.topics.tables import Topic


async def declare_used_parts(
    tx: Transaction, topic_id: UUID, *, parts: Sequence[tuple[str, str]]
) -> UsedParts:
    """``parts``: code of the unit and how it is used; none at all says that none is used. Owners
    who have not answered to these words are asked. The same again changes nothing.

    Refuses with NotYourTask, ConsentNotAsked, ConsentSettled or PartUnknown.
    """
    topic = await access_topic(tx, topic_id, Deed.PLAN_TASKS, lock=True)
    check_own(tx, topic)
    rules.check_asked(topic.state, asked=await queries.consent_asked(tx, topic))
    codes = [code for code, _ in parts]
    known = await queries.owners_by_code(tx, topic.community_id, set(codes))
    rules.check_parts(codes, {code: owners for code, (_, owners) in known.items()})
    wanted = [UsedPart(unit_id=known[code][0], use=use) for code, use in sorted(parts)]

    before = await queries.declared(tx, topic)
    if before is not None and before.parts == wanted:
        return before
    row = UsedParts(
        topic_id=topic.id,
        round=topic.round,
        version=1 if before is None else before.version + 1,
        community_id=topic.community_id,
        parts=wanted,
        declared_by_id=tx.person_id,
        at=tx.now,
    )
    tx.session.add(row)
    tx.emit(
        UsedPartsDeclared(
            community_id=topic.community_id,
            topic_id=topic.id,
            version=row.version,
            parts=len(wanted),
        )
    )
    _ask(tx, topic, await queries.views(tx, topic, wanted))
    return row


async def ask_new_owners(tx: Transaction, community_id: UUID) -> None:
    """By the system, when a register has other owners: whoever owns a used part, has not answered
    and was never asked to its present words is asked, while work waits."""
    for topic_id in await queries.waiting_topics(tx, community_id):
        topic = await access_topic(tx, topic_id, Deed.RUN_SYSTEM, lock=True)
        row = await queries.declared(tx, topic)
        if row is None or topic.state not in rules.WHILE:
            continue
        views = await queries.views(tx, topic, row.parts)
        _ask(tx, topic, views, but=await queries.asked(tx, topic, views))


def _ask(
    tx: Transaction,
    topic: Topic,
    views: Sequence[PartView],
    *,
    but: Collection[tuple[UUID, UUID]] = (),
) -> None:
    """Who has not answered to the present words; ``but``: (unit, owner) who are left in peace."""
    for view in views:
        for owner in view.owners:
            if owner.answer is None and (view.unit_id, owner.id) not in but:
                tx.emit(
                    PartConsentAsked(
                        community_id=topic.community_id,
                        person_id=owner.id,
                        topic_id=topic.id,
                        unit_id=view.unit_id,
                    )
                )


async def answer_part_use(
    tx: Transaction, topic_id: UUID, unit_id: UUID, *, agrees: bool, digest: str
) -> PartConsent:
    """The actor, an owner of the part, agrees to the use of it or declines; ``digest`` is of the
    words they were shown. The same again changes nothing; until work begins they may change it.

    Refuses with ConsentNotAsked, ConsentSettled, NotOwnerOfPart or UseChanged.
    """
    topic = await access_topic(tx, topic_id, Deed.READ_PUBLIC, lock=True)
    return await _answer(tx, topic, unit_id, tx.person_id, agrees=agrees, digest=digest, scan=None)


async def record_part_consent(
    tx: Transaction,
    topic_id: UUID,
    unit_id: UUID,
    owner_id: UUID,
    *,
    agrees: bool,
    digest: str,
    scan_sha256: str,
) -> PartConsent:
    """Staff enter what an owner signed on paper, with the hash of its scan. Refuses as
    ``answer_part_use`` does, and with NotYourTask."""
    topic = await access_topic(tx, topic_id, Deed.PLAN_TASKS, lock=True)
    check_own(tx, topic)
    return await _answer(
        tx, topic, unit_id, owner_id, agrees=agrees, digest=digest, scan=scan_sha256
    )


async def _answer(
    tx: Transaction,
    topic: Topic,
    unit_id: UUID,
    owner_id: UUID,
    *,
    agrees: bool,
    digest: str,
    scan: str | None,
) -> PartConsent:
    if not await queries.owns(tx, unit_id, owner_id):
        raise rules.NotOwnerOfPart()
    row = await queries.declared(tx, topic)
    rules.check_asked(topic.state, asked=row is not None)
    assert row is not None
    part = next((one for one in row.parts if one.unit_id == unit_id), None)
    if part is None:
        raise rules.NotOwnerOfPart()
    if part.digest != digest:
        raise rules.UseChanged()
    last = await queries.last_answer(tx, topic, unit_id, owner_id)
    if last is not None and (last.digest, last.agrees) == (digest, agrees):
        return last
    answer = PartConsent(
        topic_id=topic.id,
        unit_id=unit_id,
        owner_id=owner_id,
        take=0 if last is None else last.take + 1,
        community_id=topic.community_id,
        digest=digest,
        agrees=agrees,
        scan_sha256=scan,
        recorded_by_id=None if scan is None else tx.person_id,
        at=tx.now,
    )
    tx.session.add(answer)
    told = {row.declared_by_id, owner_id} - {tx.person_id}
    for person in sorted(told):
        tx.emit(
            PartConsentAnswered(
                community_id=topic.community_id,
                person_id=person,
                topic_id=topic.id,
                unit_id=unit_id,
            )
        )
    return answer
