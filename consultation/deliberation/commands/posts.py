"""Posts 发言: added, entered for a resident (代录), changed within a short time."""

from dataclasses import dataclass
from uuid import UUID

from consultation.community.queries import STAKEHOLDERS
from consultation.database import Transaction
from consultation.deliberation import queries, rules
from consultation.deliberation.queries import Speaker, access_post, access_thread, speaker
from consultation.deliberation.rules import Stance
from consultation.deliberation.tables import Post, PostVersion, Thread
from consultation.events.deliberation import PostAdded, PostEdited
from consultation.permissions import Deed, Role, check
from consultation.refusals import NotFound
from consultation.topics.lookups import begin_following
from consultation.topics.subjects import check_subject


@dataclass(frozen=True, slots=True)
class OnBehalf:
    """Assisted entry: for whom, and how that resident agreed."""

    resident_id: UUID
    consent_note: str


async def add_post(
    tx: Transaction,
    thread_id: UUID,
    *,
    body: str,
    stance: Stance,
    parent_id: UUID | None = None,
    on_behalf: OnBehalf | None = None,
) -> Post:
    """Say something in a thread, or answer a post in it.

    Refuses with NotDeliberating, ThreadIsClosed, TextTooLong, ForbiddenSubject, TooManyPosts,
    HostSpeaksToProcedure, SpeakerUnderAge, ReplyTooDeep, PostIsHidden; for another person also
    with ConsentNoteMissing and ResidentNotInYourGrid.
    """
    thread, topic = await access_thread(tx, thread_id, Deed.SPEAK, lock=True)
    rules.check_open(topic.state)
    rules.check_thread(closed_at=thread.closed_at)
    rules.check_stance(tx.standing.role, stance)
    author_id = tx.person_id if on_behalf is None else on_behalf.resident_id
    author = await speaker(tx, author_id, topic)
    role = tx.standing.role if on_behalf is None else _assisted(tx, author, on_behalf)
    rules.check_age(author.born_on, tx.now)
    rules.check_rate(author.recent)
    rules.check_text(body, longest=rules.longest_post(role))
    check_subject(body)
    parent = None if parent_id is None else await _parent(tx, thread, parent_id)

    post = Post(
        id=tx.new_id(),
        community_id=topic.community_id,
        topic_id=topic.id,
        thread_id=thread.id,
        parent_id=parent_id,
        author_id=author_id,
        author_role=role.value,
        display_name=_display_name(tx, author, role),
        stance=stance,
        body=body,
        entered_by_id=None if on_behalf is None else tx.person_id,
        consent_note=None if on_behalf is None else on_behalf.consent_note,
        created_at=tx.now,
    )
    tx.session.add(post)
    await tx.session.flush()
    tx.session.add(_version(post, tx))
    if parent is not None:
        parent.replies += 1
    thread.posts += 1
    _count(thread, stance, +1)
    await begin_following(tx, topic, author_id)

    tx.emit(
        PostAdded(
            community_id=topic.community_id,
            topic_id=topic.id,
            thread_id=thread.id,
            post_id=post.id,
            parent_id=parent_id,
            stance=stance.value,
        )
    )
    return post


async def edit_post(tx: Transaction, post_id: UUID, *, body: str, stance: Stance) -> Post:
    """Change one's own post within 15 minutes, before anybody replied; what it said stays
    readable as an earlier version. Who entered a post for a resident may change it too.

    Refuses with NotYourPost, PostIsHidden, EditWindowOver, PostAnswered and as ``add_post`` does.
    """
    found, _ = await access_post(tx, post_id, Deed.SPEAK)
    thread, topic = await access_thread(tx, found.thread_id, Deed.SPEAK, lock=True)
    post = await queries.locked_post(tx, post_id)
    if tx.person_id not in (post.author_id, post.entered_by_id):
        raise rules.NotYourPost()
    if (post.body, post.stance) == (body, stance):
        return post
    rules.check_open(topic.state)
    rules.check_thread(closed_at=thread.closed_at)
    rules.check_editable(
        created_at=post.created_at,
        replies=post.replies,
        hidden=rules.is_hidden(hidden_at=post.hidden_at, appeal_upheld=post.appeal_upheld),
        now=tx.now,
    )
    role = Role(post.author_role)
    rules.check_stance(role, stance)
    rules.check_text(body, longest=rules.longest_post(role))
    check_subject(body)

    _count(thread, post.stance, -1)
    _count(thread, stance, +1)
    post.body = body
    post.stance = stance
    post.version += 1
    post.edited_at = tx.now
    tx.session.add(_version(post, tx))

    tx.emit(
        PostEdited(
            community_id=topic.community_id,
            topic_id=topic.id,
            thread_id=thread.id,
            post_id=post.id,
            version=post.version,
        )
    )
    return post


def _assisted(tx: Transaction, author: Speaker, on_behalf: OnBehalf) -> Role:
    """The resident's own role, if the actor may write for them (S25)."""
    check(Deed.RECORD_FOR_RESIDENT, tx.standing.role)
    if not on_behalf.consent_note.strip():
        raise rules.ConsentNoteMissing()
    if author.level < 2 or author.grid_id is None or author.grid_id != tx.standing.node_id:
        raise rules.ResidentNotInYourGrid()
    return Role.STAKEHOLDER if author.kind in STAKEHOLDERS else Role.RESIDENT


async def _parent(tx: Transaction, thread: Thread, parent_id: UUID) -> Post:
    parent = await tx.session.get(Post, parent_id)
    if parent is None or parent.thread_id != thread.id:
        raise NotFound(what="post")
    rules.check_reply(
        parent_is_reply=parent.parent_id is not None,
        parent_is_hidden=rules.is_hidden(
            hidden_at=parent.hidden_at, appeal_upheld=parent.appeal_upheld
        ),
    )
    return parent


def _display_name(tx: Transaction, author: Speaker, role: Role) -> str:
    """Neighbours are masked (3幢 王*); who speaks in office is named."""
    person = author.person
    if role in rules.RESIDENTS or person.name_sealed is None:
        return author.masked
    return tx.vault.open(person.id, person.name_sealed)


def _version(post: Post, tx: Transaction) -> PostVersion:
    return PostVersion(
        post_id=post.id,
        version=post.version,
        community_id=post.community_id,
        stance=post.stance,
        body=post.body,
        at=tx.now,
    )


def _count(thread: Thread, stance: Stance, by: int) -> None:
    column = rules.thread_column(stance)
    setattr(thread, column, getattr(thread, column) + by)
