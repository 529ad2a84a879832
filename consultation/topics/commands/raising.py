"""Raising a topic 提出议题: a draft, of one's own or for a resident (代录); editing; submitting."""

from uuid import UUID

from consultation.calendar import local_day
from consultation.community.queries import standing_at
from consultation.database import Transaction
from consultation.permissions import Deed, Role, check
from consultation.topics import lookups, rules
from consultation.topics.documents import Paper, publish_document
from consultation.topics.lifecycle import advance
from consultation.topics.lookups import access_scope
from consultation.topics.proposal import (
    CommissionLetter,
    CommissionLetterRequired,
    CommissionNotYours,
    Proposal,
    ResidentNotVerified,
    check_consent,
    letter_text,
    proposal_text,
)
from consultation.topics.queries import access_own_topic
from consultation.topics.states import Act, DocumentKind, State, Track
from consultation.topics.subjects import check_subject
from consultation.topics.tables import Topic, TopicTransition


async def draft_topic(
    tx: Transaction,
    *,
    community_id: UUID,
    node_id: UUID,
    proposal: Proposal,
    on_behalf_of: UUID | None = None,
    consent_note: str | None = None,
    letter: CommissionLetter | None = None,
) -> Topic:
    """Begin a topic on what lies at ``node_id``: in the community, or above it when the matter is
    larger than one community.

    ``on_behalf_of``: a grid worker writes it down for a verified resident of the own grid, who is
    the author; ``consent_note`` says how they agreed. ``letter``: a government body commissions
    the consultation (Track B) and cannot raise a topic otherwise (S8).
    Refuses with ScopeNotInCommunity, NotPermitted, ResidentNotVerified, ConsentRequired,
    CommissionLetterRequired, CommissionNotYours or ForbiddenSubject.
    """
    node = await access_scope(tx, community_id, node_id)
    standing = await standing_at(tx, community_id, node.path)
    check(Deed.RAISE_TOPIC if on_behalf_of is None else Deed.RAISE_FOR_RESIDENT, standing.role)
    consent = None
    if on_behalf_of is not None:
        consent = check_consent(consent_note)
        grid_id = await lookups.verified_grid(tx, on_behalf_of, community_id)
        if grid_id is None or grid_id != standing.node_id:
            raise ResidentNotVerified()
    commissions = standing.role is Role.GOVERNMENT
    if commissions and letter is None:
        raise CommissionLetterRequired()
    if letter is not None and not commissions:
        raise CommissionNotYours()
    check_subject(proposal.title, proposal.problem, proposal.wish, proposal.place)

    topic = Topic(
        id=tx.new_id(),
        community_id=community_id,
        node_id=node.id,
        node_path=node.path,
        **proposal.model_dump(),
        author_id=on_behalf_of or tx.person_id,
        entered_by_id=None if on_behalf_of is None else tx.person_id,
        consent_note=consent,
        state=State.DRAFT,
        state_since=tx.now,
        track=Track.COMMISSIONED if commissions else None,
        commissioning_org_id=standing.org_id if commissions else None,
        created_at=tx.now,
    )
    tx.session.add(topic)
    await tx.session.flush()
    if letter is not None:
        await publish_document(
            tx,
            topic,
            DocumentKind.COMMISSION_LETTER,
            title=letter.title,
            body=letter_text(letter),
            public=False,
        )
    return topic


async def edit_draft(
    tx: Transaction, topic_id: UUID, *, proposal: Proposal, expected_version: int | None = None
) -> Topic:
    """Replace what a draft or a returned topic says. Refuses with NotTheAuthor, DraftFrozen."""
    topic = await access_own_topic(
        tx, topic_id, Deed.RAISE_TOPIC, expected_version=expected_version
    )
    rules.check_editable(topic.state)
    check_subject(proposal.title, proposal.problem, proposal.wish, proposal.place)

    for name, value in proposal.model_dump().items():
        setattr(topic, name, value)
    return topic


async def submit_topic(
    tx: Transaction, topic_id: UUID, *, expected_version: int | None = None
) -> TopicTransition:
    """T1, or T2a when the topic had been returned. The proposal goes on file as it stands, and a
    first submission gets its number."""
    topic = await access_own_topic(
        tx, topic_id, Deed.RAISE_TOPIC, expected_version=expected_version
    )
    act = Act.RESUBMIT if topic.state is State.RETURNED else Act.SUBMIT
    text = proposal_text(
        problem=topic.problem, wish=topic.wish, place=topic.place, affected=topic.affected
    )
    step = await advance(tx, topic, act, paper=Paper(topic.title, text))

    if not topic.number:
        year = local_day(tx.now).year
        count = await lookups.next_number(tx, topic.community_id, year)
        topic.number = rules.number_in_year(year, count)
    return step
