"""Codes on paper and links in messages that open a topic, a poll or the check-in of a meeting.

Each thing has at most one scene, a short opaque name that says nothing about it; the image is
fetched from WeChat once and kept, the link is made again before it runs out.
"""

import secrets
import string
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlmodel import select

from api.accounts import WechatUnavailable
from api.dependencies import Services
from api.errands import Means
from consultation import jobs
from consultation.database import Transaction
from consultation.jobs import JobKind
from consultation.meetings.queries import access_meeting
from consultation.permissions import SYSTEM, Actor, Deed
from consultation.polls.queries import access_poll
from consultation.polls.serving import BEING_SERVED
from consultation.polls.tables import Poll
from consultation.refusals import NotFound
from consultation.topics.queries import access_topic
from notifications.wechat import codes, links
from notifications.wechat.errors import WechatError
from notifications.wechat.tables import Scene, SceneKind

LETTERS = string.ascii_letters + string.digits
LENGTH = 18
"""Letters of a scene: over a hundred bits, and WeChat takes 32."""
RENEW_BEFORE = timedelta(days=2)
MAKERS = {
    SceneKind.TOPIC: Deed.PUBLISH_NOTICE,
    SceneKind.POLL: Deed.PUBLISH_NOTICE,
    SceneKind.MEETING: Deed.RUN_MEETING,
}
"""Who may have a code made. Everybody who may read the thing may read the code."""


async def community_of(tx: Transaction, kind: SceneKind, target_id: UUID, deed: Deed) -> UUID:
    """The community of the thing, if the actor may do ``deed`` there; NotFound if it is not
    theirs to see."""
    match kind:
        case SceneKind.TOPIC:
            return (await access_topic(tx, target_id, deed)).community_id
        case SceneKind.POLL:
            return (await access_poll(tx, target_id, deed))[0].community_id
        case SceneKind.MEETING:
            return (await access_meeting(tx, target_id, deed))[0].community_id


async def make(app: Services, actor: Actor, kind: SceneKind, target_id: UUID) -> Scene:
    """The scene of a thing with its image, made at the first request. WechatUnavailable when the
    image cannot be had now: asking again goes on where this stopped."""
    async with app.db.begin(actor) as tx:
        community_id = await community_of(tx, kind, target_id, MAKERS[kind])
        scene = await _find(tx, kind, target_id)
        if scene is None:
            scene = await add(tx, kind, target_id, community_id)
    if scene.image is not None:
        return scene
    page = app.settings.wechat_pages[kind.value]
    try:
        image = await codes.code_image(app.wechat, scene=scene.scene, page=page)
    except WechatError:
        raise WechatUnavailable() from None
    async with app.db.begin(actor) as tx:
        kept = await tx.session.get(Scene, scene.scene, with_for_update=True)
        assert kept is not None
        kept.image = kept.image or image
        if kept.link_expires_at is not None and _runs_out(kept, tx.now):  # of a poll that is over
            await jobs.schedule(
                tx,
                JobKind.RENEW_LINK,
                kept.id,
                tx.now,
                community_id=kept.community_id,
                occasion="code",
            )
    return kept


async def read(tx: Transaction, kind: SceneKind, target_id: UUID) -> Scene:
    """The scene of a thing that the actor may read, once its image is there."""
    await community_of(tx, kind, target_id, Deed.READ_PUBLIC)
    scene = await _find(tx, kind, target_id)
    if scene is None or scene.image is None:
        raise NotFound(what="code")
    return scene


async def resolve(tx: Transaction, text: str) -> Scene:
    """What a scene leads to, if the actor may read it."""
    found = await tx.session.exec(select(Scene).where(Scene.scene == text))
    scene = found.first()
    if scene is None:
        raise NotFound(what="scene")
    await community_of(tx, scene.kind, scene.target_id, Deed.READ_PUBLIC)
    return scene


async def _find(tx: Transaction, kind: SceneKind, target_id: UUID) -> Scene | None:
    query = select(Scene).where(Scene.kind == kind, Scene.target_id == target_id)
    return (await tx.session.exec(query)).first()


async def add(tx: Transaction, kind: SceneKind, target_id: UUID, community_id: UUID) -> Scene:
    """A new scene, or the one that is there already. Its links are an errand, so that nobody waits
    for WeChat; its image is fetched when somebody asks for it."""
    insert = sqlite_insert if tx.session.get_bind().dialect.name == "sqlite" else pg_insert
    scene_id = tx.new_id()
    await tx.session.exec(
        insert(Scene)
        .values(
            scene="".join(secrets.choice(LETTERS) for _ in range(LENGTH)),
            id=scene_id,
            community_id=community_id,
            kind=kind,
            target_id=target_id,
            created_by_id=tx.person_id,
            created_at=tx.now,
        )
        .on_conflict_do_nothing(index_elements=["kind", "target_id"])
    )
    scene = await _find(tx, kind, target_id)
    assert scene is not None
    if scene.id == scene_id:
        await jobs.schedule(tx, JobKind.RENEW_LINK, scene_id, tx.now, community_id=community_id)
    return scene


async def renew_link(means: Means, scene_id: UUID) -> None:
    """The errand: make the links of a scene, and have them made again before they run out; those
    of a poll that is over only if somebody had its code made."""
    async with means.db.read(SYSTEM) as tx:
        scene = (await tx.session.exec(select(Scene).where(Scene.id == scene_id))).first()
        if scene is None or not _runs_out(scene, tx.now) or await _is_past(tx, scene):
            return
        asked_at = tx.now
    page, days = means.settings.wechat_pages[scene.kind.value], means.settings.wechat_link_days
    where = f"scene={scene.scene}"
    url = await links.url_link(means.wechat, path=page, query=where, days=days)
    scheme = await links.scheme(means.wechat, path=page, query=where, days=days)
    async with means.db.begin(SYSTEM) as tx:
        query = select(Scene).where(Scene.id == scene_id).with_for_update()
        scene = (await tx.session.exec(query)).first()
        if scene is None or not _runs_out(scene, asked_at):
            return
        scene.url_link, scene.scheme = url, scheme
        scene.link_expires_at = asked_at + timedelta(days=days)
        await jobs.schedule(
            tx,
            JobKind.RENEW_LINK,
            scene.id,
            scene.link_expires_at - RENEW_BEFORE,
            community_id=scene.community_id,
            occasion=scene.link_expires_at.isoformat(),
        )


async def _is_past(tx: Transaction, scene: Scene) -> bool:
    if scene.kind is not SceneKind.POLL or scene.image is not None:
        return False
    poll = await tx.session.get_one(Poll, scene.target_id)
    return poll.state not in BEING_SERVED


def _runs_out(scene: Scene, now: datetime) -> bool:
    return scene.link_expires_at is None or scene.link_expires_at <= now + RENEW_BEFORE
