"""Whatever text people write is checked by WeChat and, where that gives no pass, by a person.

The request for a check is part of the transaction that keeps the text, so that no text goes
unchecked; the check itself is an errand. Without a verdict a row waits for a clerk or host at
once, and the errand goes on trying: a pass that comes later settles the row.
"""

import asyncio
from datetime import timedelta
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlmodel import col, select

from api.errands import Means
from api.logs import log
from api.settings import Settings
from consultation import jobs
from consultation.database import Transaction
from consultation.deliberation import review_queries
from consultation.deliberation.commands.reviewing import note_pass, open_review
from consultation.deliberation.review_queries import Subject
from consultation.deliberation.review_rules import ReviewCause, ReviewState, ReviewSubject
from consultation.jobs import JobKind
from consultation.permissions import SYSTEM
from notifications.wechat import content
from notifications.wechat.content import Suggestion, Verdict
from notifications.wechat.errors import NoRecentVisit, TooOften, Unavailable, WechatError
from notifications.wechat.tables import AccountKind, CheckState, ContentCheck, WechatAccount

SCENES = {
    ReviewSubject.POST: content.Scene.FORUM,
    ReviewSubject.STATEMENT: content.Scene.COMMENT,
    ReviewSubject.TOPIC: content.Scene.FORUM,
}
GIVE_UP = timedelta(days=2)
"""After so long without a verdict only the person's decision counts."""
CAUSES = {Suggestion.REVIEW: ReviewCause.REVIEW, Suggestion.RISKY: ReviewCause.RISKY}


async def ask_for_check(
    tx: Transaction, settings: Settings, subject: Subject, *, community_id: UUID, topic_id: UUID
) -> None:
    """Have one version of a text checked that the acting person has just written."""
    if settings.content_check == "none":
        return
    kind, subject_id, version = subject
    insert = sqlite_insert if tx.session.get_bind().dialect.name == "sqlite" else pg_insert
    check_id = tx.new_id()
    made = await tx.session.exec(
        insert(ContentCheck)
        .values(
            id=check_id,
            community_id=community_id,
            topic_id=topic_id,
            subject_kind=kind.value,
            subject_id=subject_id,
            version=version,
            person_id=tx.person_id,
            state=CheckState.PENDING,
            traces=[],
            created_at=tx.now,
        )
        .on_conflict_do_nothing(index_elements=["subject_kind", "subject_id", "version"])
    )
    if made.rowcount:
        await jobs.schedule(tx, JobKind.CHECK_CONTENT, check_id, tx.now, community_id=community_id)


async def check_content(means: Means, check_id: UUID) -> None:
    """The errand: ask WeChat about one text. Raises what a later try may mend."""
    async with means.db.read(SYSTEM) as tx:
        check = await tx.session.get(ContentCheck, check_id)
        if check is None or check.state is not CheckState.PENDING:
            return
        subject = _subject(check)
        what = (await review_queries.written(tx, [subject])).get(subject)
        openid = await openid_of(tx, check.person_id, means.wechat.app_id)
    if what is None:
        await _settle(means, check_id, CheckState.ERROR, None)
        return
    if openid is None:
        await _settle(means, check_id, CheckState.ERROR, ReviewCause.NO_ACCOUNT)
        return
    scene = SCENES[subject[0]]
    try:
        verdict = await content.check_text(means.wechat, what.text, openid=openid, scene=scene)
    except NoRecentVisit:
        await _settle(means, check_id, CheckState.ERROR, ReviewCause.NO_RECENT_VISIT)
    except (Unavailable, TooOften):
        again = await _settle(means, check_id, CheckState.PENDING, ReviewCause.CHECK_FAILED)
        if again:
            raise
    except WechatError as error:  # our own fault: a person looks, and the log has the code
        log.error("content check faulty", errcode=error.errcode, rid=error.rid)
        await _settle(means, check_id, CheckState.ERROR, ReviewCause.CHECK_FAILED)
    else:
        await _settle(
            means,
            check_id,
            CheckState(verdict.suggestion.value),
            CAUSES.get(verdict.suggestion),
            verdict,
        )


AT_ONCE_SECONDS = 3.0


async def passes_at_once(means: Means, person_id: UUID | None, text: str) -> bool:
    """Whether the machine has nothing against a text that nobody may link to its writer: asked
    before anything is kept, and nothing is kept of it but the answer. False without a verdict."""
    if not text:
        return False
    if means.settings.content_check == "none":
        return True
    async with means.db.read(SYSTEM) as tx:
        openid = person_id and await openid_of(tx, person_id, means.wechat.app_id)
    if not openid:
        return False
    try:
        async with asyncio.timeout(AT_ONCE_SECONDS):
            verdict = await content.check_text(
                means.wechat, text, openid=openid, scene=content.Scene.COMMENT
            )
    except (WechatError, TimeoutError):
        return False
    return verdict.suggestion is Suggestion.PASS


async def _settle(
    means: Means,
    check_id: UUID,
    state: CheckState,
    cause: ReviewCause | None,
    verdict: Verdict | None = None,
) -> bool:
    """Note what came of a check, and put it before a person if there is a ``cause``. Whether it
    is worth trying again: not once a person has decided, nor after two days."""
    async with means.db.begin(SYSTEM) as tx:
        check = await tx.session.get(ContentCheck, check_id, with_for_update=True)
        if check is None:
            return False
        subject = _subject(check)
        traces = () if verdict is None else verdict.trace_ids
        again = False
        if cause is not None:
            review = await open_review(
                tx,
                subject,
                community_id=check.community_id,
                topic_id=check.topic_id,
                cause=cause,
                label=None if verdict is None else verdict.label,
                traces=traces,
            )
            again = review.state is ReviewState.OPEN and tx.now < check.created_at + GIVE_UP
        elif state is CheckState.PASS:
            await note_pass(tx, subject, traces=traces)
        if state is CheckState.PENDING and not again:
            state = CheckState.ERROR
        check.state, check.traces = state, list(traces)
        check.label = None if verdict is None else verdict.label
        check.checked_at = None if state is CheckState.PENDING else tx.now
        return again


def _subject(check: ContentCheck) -> Subject:
    return ReviewSubject(check.subject_kind), check.subject_id, check.version


async def openid_of(tx: Transaction, person_id: UUID, app_id: str) -> str | None:
    """The one under which the person was last in the mini-program."""
    found = await tx.session.exec(
        select(WechatAccount.openid)
        .where(
            WechatAccount.person_id == person_id,
            WechatAccount.app_id == app_id,
            WechatAccount.kind == AccountKind.MINI_PROGRAM,
        )
        .order_by(col(WechatAccount.last_login_at).desc())
        .limit(1)
    )
    return found.first()
