"""Threads 讨论 and posts 发言, and how posts are moderated."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter
from pydantic import Field

from api.content_checks import ask_for_check
from api.dependencies import AnyActor, App, CurrentActor, Db, Locale
from api.idempotency import Once
from api.pagination import CursorParam, Limit, Page, read_time_cursor, time_cursor
from api.wire import WireIn, WireOut
from api.words import say
from consultation.database import Transaction
from consultation.deliberation import queries, rules
from consultation.deliberation.commands import moderation, posts, threads
from consultation.deliberation.review_rules import ReviewSubject
from consultation.deliberation.rules import HidingReason, Stance
from consultation.deliberation.tables import Post, Thread
from consultation.permissions import Deed

router = APIRouter(prefix="/v1", tags=["deliberation"])


class ThreadIn(WireIn):
    title: str = Field(min_length=1, max_length=rules.TITLE_LENGTH)


class ThreadOut(WireOut):
    """``posts`` counts all, ``posts_*`` by stance; hidden posts are counted too."""

    id: UUID
    topic_id: UUID
    round: int
    title: str
    posts: int
    posts_for: int
    posts_against: int
    posts_neutral: int
    posts_question: int
    created_at: datetime
    closed_at: datetime | None


class OnBehalfIn(WireIn):
    """代录: for a resident of the grid worker's own grid, who agreed as ``consent_note`` says."""

    resident_id: UUID
    consent_note: str = Field(min_length=1, max_length=200)


class PostIn(WireIn):
    """At most 300 characters for residents, 2000 for who speaks in office."""

    body: str = Field(min_length=1, max_length=rules.STAFF_LENGTH)
    stance: Stance
    parent_id: UUID | None = None
    on_behalf: OnBehalfIn | None = None


class PostChangeIn(WireIn):
    body: str = Field(min_length=1, max_length=rules.STAFF_LENGTH)
    stance: Stance


class HidingOut(WireOut):
    """Why a post is or was hidden. ``reason``, ``appeal`` and ``opinion`` are for its author and
    for moderators; ``appeal_upheld`` is null until the supervisor has decided."""

    reason_code: HidingReason
    reason_text: str
    at: datetime
    reason: str | None
    appeal: str | None
    appealed_at: datetime | None
    appeal_upheld: bool | None
    opinion: str | None


class PostOut(WireOut):
    """``body`` is null where the post is hidden from the reader. ``assisted``: entered by a grid
    worker for the resident (代录). ``display_name`` is ready to show."""

    id: UUID
    thread_id: UUID
    parent_id: UUID | None
    stance: Stance
    body: str | None
    display_name: str
    role: str
    assisted: bool
    mine: bool
    version: int
    replies: int
    created_at: datetime
    edited_at: datetime | None
    hidden: bool
    hiding: HidingOut | None


class PostVersionOut(WireOut):
    version: int
    stance: Stance
    body: str
    at: datetime


class HidingIn(WireIn):
    """``reason`` is a sentence for the author. Criticism of authorities is no reason."""

    reason_code: HidingReason
    reason: str = Field(min_length=1, max_length=500)


class AppealIn(WireIn):
    reason: str = Field(min_length=1, max_length=500)


class ReviewIn(WireIn):
    restore: bool
    opinion: str = Field(min_length=1, max_length=500)


def _display_name(post: Post, locale: str) -> str:
    name = post.display_name or say(locale, "words.speaker.gone")
    if post.author_role not in rules.RESIDENTS:
        name = f"{say(locale, f'words.speaker.{post.author_role}')} {name}"
    if post.entered_by_id is not None:
        name = say(locale, "words.assisted.name", {"name": name})
    return name


async def _have_checked(tx: Transaction, app: App, post: Post) -> None:
    await ask_for_check(
        tx,
        app.settings,
        (ReviewSubject.POST, post.id, post.version),
        community_id=post.community_id,
        topic_id=post.topic_id,
    )


def _post_out(tx: Transaction, post: Post, locale: str) -> PostOut:
    hidden = rules.is_hidden(hidden_at=post.hidden_at, appeal_upheld=post.appeal_upheld)
    insider = rules.may_read_hidden(
        tx.standing.role, tx.actor.person_id, post.author_id, post.entered_by_id
    )
    hiding = None
    if post.hidden_at is not None and post.hidden_reason_code is not None:
        code = HidingReason(post.hidden_reason_code)
        hiding = HidingOut(
            reason_code=code,
            reason_text=say(locale, f"words.hiding_reason.{code}"),
            at=post.hidden_at,
            reason=post.hidden_reason if insider else None,
            appeal=post.appeal if insider else None,
            appealed_at=post.appealed_at,
            appeal_upheld=post.appeal_upheld,
            opinion=post.appeal_opinion if insider else None,
        )
    return PostOut(
        id=post.id,
        thread_id=post.thread_id,
        parent_id=post.parent_id,
        stance=post.stance,
        body=None if hidden and not insider else post.body,
        display_name=_display_name(post, locale),
        role=post.author_role,
        assisted=post.entered_by_id is not None,
        mine=tx.actor.person_id is not None and post.author_id == tx.actor.person_id,
        version=post.version,
        replies=post.replies,
        created_at=post.created_at,
        edited_at=post.edited_at,
        hidden=hidden,
        hiding=hiding,
    )


def _post_page(tx: Transaction, found: list[Post], limit: int, locale: str) -> Page[PostOut]:
    more = found[limit - 1] if len(found) > limit else None
    return Page(
        items=[_post_out(tx, post, locale) for post in found[:limit]],
        next_cursor=None if more is None else time_cursor(more.created_at, more.id),
    )


@router.post("/topics/{topic_id}/threads", status_code=201)
async def open_thread(topic_id: UUID, body: ThreadIn, once: Once) -> ThreadOut:
    """Open a thread on a topic that is being deliberated (host, clerk, party secretary)."""
    async with once.begin() as tx:
        thread = await threads.open_thread(tx, topic_id, title=body.title)
        return once.keep(ThreadOut.model_validate(thread))


@router.get("/topics/{topic_id}/threads")
async def list_threads(
    topic_id: UUID, db: Db, actor: AnyActor, cursor: CursorParam = None, limit: Limit = 20
) -> Page[ThreadOut]:
    """Threads of a topic, oldest first."""
    async with db.read(actor) as tx:
        topic = await queries.access_topic(tx, topic_id, Deed.READ_PUBLIC)
        found = await queries.threads_of(
            tx, topic.id, after=read_time_cursor(cursor), limit=limit + 1
        )
    more = found[limit - 1] if len(found) > limit else None
    return Page(
        items=[ThreadOut.model_validate(thread) for thread in found[:limit]],
        next_cursor=None if more is None else time_cursor(more.created_at, more.id),
    )


@router.get("/threads/{thread_id}")
async def get_thread(thread_id: UUID, db: Db, actor: AnyActor) -> ThreadOut:
    async with db.read(actor) as tx:
        thread, _ = await queries.access_thread(tx, thread_id, Deed.READ_PUBLIC)
    return ThreadOut.model_validate(thread)


@router.put("/threads/{thread_id}/closing")
async def close_thread(thread_id: UUID, db: Db, actor: CurrentActor) -> ThreadOut:
    """No more posts; what was said stays."""
    async with db.begin(actor) as tx:
        thread: Thread = await threads.close_thread(tx, thread_id)
    return ThreadOut.model_validate(thread)


@router.post("/threads/{thread_id}/posts", status_code=201)
async def add_post(thread_id: UUID, body: PostIn, app: App, once: Once, locale: Locale) -> PostOut:
    """Say something in a thread, or answer a post (one level deep). A grid worker may enter what a
    resident of the own grid said; it is shown as 代录."""
    behalf = body.on_behalf
    async with once.begin() as tx:
        post = await posts.add_post(
            tx,
            thread_id,
            body=body.body,
            stance=body.stance,
            parent_id=body.parent_id,
            on_behalf=None
            if behalf is None
            else posts.OnBehalf(behalf.resident_id, behalf.consent_note),
        )
        await _have_checked(tx, app, post)
        return once.keep(_post_out(tx, post, locale))


@router.get("/threads/{thread_id}/posts")
async def list_posts(
    thread_id: UUID,
    db: Db,
    actor: AnyActor,
    locale: Locale,
    cursor: CursorParam = None,
    limit: Limit = 20,
) -> Page[PostOut]:
    """Posts and replies in the order they came. They are never ranked."""
    async with db.read(actor) as tx:
        thread, _ = await queries.access_thread(tx, thread_id, Deed.READ_PUBLIC)
        found = await queries.posts_of(
            tx, thread.id, after=read_time_cursor(cursor), limit=limit + 1
        )
        return _post_page(tx, found, limit, locale)


@router.put("/posts/{post_id}")
async def edit_post(
    post_id: UUID, body: PostChangeIn, app: App, actor: CurrentActor, locale: Locale
) -> PostOut:
    """Change one's own post within 15 minutes and before anybody replied. The earlier text stays
    readable."""
    async with app.db.begin(actor) as tx:
        post = await posts.edit_post(tx, post_id, body=body.body, stance=body.stance)
        await _have_checked(tx, app, post)
        return _post_out(tx, post, locale)


@router.get("/posts/{post_id}/versions")
async def list_post_versions(post_id: UUID, db: Db, actor: AnyActor) -> list[PostVersionOut]:
    """Every text a post has had, the first one first. Those of a hidden post are for its author
    and for moderators; others get none."""
    async with db.read(actor) as tx:
        post, _ = await queries.access_post(tx, post_id, Deed.READ_PUBLIC)
        hidden = rules.is_hidden(hidden_at=post.hidden_at, appeal_upheld=post.appeal_upheld)
        if hidden and not rules.may_read_hidden(
            tx.standing.role, tx.actor.person_id, post.author_id, post.entered_by_id
        ):
            return []
        found = await queries.versions_of(tx, post_id)
    return [PostVersionOut.model_validate(version) for version in found]


@router.put("/posts/{post_id}/hiding")
async def hide_post(
    post_id: UUID, body: HidingIn, db: Db, actor: CurrentActor, locale: Locale
) -> PostOut:
    """Fold a post away, for a reason from the list (clerk, host). The author is told and may
    appeal."""
    async with db.begin(actor) as tx:
        post = await moderation.hide_post(
            tx, post_id, reason_code=body.reason_code, reason=body.reason
        )
        return _post_out(tx, post, locale)


@router.put("/posts/{post_id}/appeal")
async def appeal_hidden_post(
    post_id: UUID, body: AppealIn, db: Db, actor: CurrentActor, locale: Locale
) -> PostOut:
    """The author appeals, once."""
    async with db.begin(actor) as tx:
        post = await moderation.appeal_hidden_post(tx, post_id, reason=body.reason)
        return _post_out(tx, post, locale)


@router.put("/posts/{post_id}/review")
async def review_hidden_post(
    post_id: UUID, body: ReviewIn, db: Db, actor: CurrentActor, locale: Locale
) -> PostOut:
    """The supervisor decides the appeal, never who hid the post."""
    async with db.begin(actor) as tx:
        post = await moderation.review_hidden_post(
            tx, post_id, restore=body.restore, opinion=body.opinion
        )
        return _post_out(tx, post, locale)


@router.get("/topics/{topic_id}/hidden-posts")
async def list_hidden_posts(
    topic_id: UUID,
    db: Db,
    actor: AnyActor,
    locale: Locale,
    appealed: bool = False,
    cursor: CursorParam = None,
    limit: Limit = 20,
) -> Page[PostOut]:
    """Posts that were ever hidden, with their reasons; everybody may see how a topic is moderated,
    only insiders see the texts. ``appealed``: those whose appeal waits for the supervisor."""
    async with db.read(actor) as tx:
        topic = await queries.access_topic(tx, topic_id, Deed.READ_PUBLIC)
        found = await queries.hidden_posts_of(
            tx, topic.id, appealed=appealed, after=read_time_cursor(cursor), limit=limit + 1
        )
        return _post_page(tx, found, limit, locale)
