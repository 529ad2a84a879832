"""Mini-program codes 小程序码 and links for topics, polls and the check-in of meetings."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Response

from api import scenes
from api.dependencies import AnyActor, App, CurrentActor, Db
from api.wire import WireOut
from consultation.permissions import Actor
from notifications.wechat.tables import Scene, SceneKind

router = APIRouter(prefix="/v1", tags=["codes"])

IMAGE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The image",
        "content": {"image/png": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class SceneOut(WireOut):
    """``scene`` is what the mini-program gets as ``query.scene``. The links open the same page
    from outside WeChat; they are made soon after the code, run out, and are then made again:
    read them when you send them."""

    scene: str
    kind: SceneKind
    target_id: UUID
    community_id: UUID
    url_link: str | None
    scheme: str | None
    link_expires_at: datetime | None


class CodeImage(Response):
    media_type = "image/png"


def _image(scene: Scene) -> CodeImage:
    image = scene.image or b""
    jpeg = image.startswith(b"\xff\xd8")
    return CodeImage(image, headers={"content-type": "image/jpeg"} if jpeg else None)


async def _read(app: App, actor: Actor, kind: SceneKind, target_id: UUID) -> CodeImage:
    async with app.db.read(actor) as tx:
        return _image(await scenes.read(tx, kind, target_id))


@router.put("/topics/{topic_id}/wxacode")
async def make_topic_code(topic_id: UUID, app: App, actor: CurrentActor) -> SceneOut:
    """Have the code of a topic made (clerk, party secretary); asked again, it is the same one."""
    return SceneOut.model_validate(await scenes.make(app, actor, SceneKind.TOPIC, topic_id))


@router.get("/topics/{topic_id}/wxacode", response_class=CodeImage, responses=IMAGE)
async def get_topic_code(topic_id: UUID, app: App, actor: AnyActor) -> Response:
    """The image, to be printed: it never runs out."""
    return await _read(app, actor, SceneKind.TOPIC, topic_id)


@router.put("/polls/{poll_id}/wxacode")
async def make_poll_code(poll_id: UUID, app: App, actor: CurrentActor) -> SceneOut:
    """Have the code of a poll made (clerk, party secretary); asked again, it is the same one."""
    return SceneOut.model_validate(await scenes.make(app, actor, SceneKind.POLL, poll_id))


@router.get("/polls/{poll_id}/wxacode", response_class=CodeImage, responses=IMAGE)
async def get_poll_code(poll_id: UUID, app: App, actor: AnyActor) -> Response:
    """The image, to be printed: it never runs out."""
    return await _read(app, actor, SceneKind.POLL, poll_id)


@router.put("/meetings/{meeting_id}/wxacode")
async def make_meeting_code(meeting_id: UUID, app: App, actor: CurrentActor) -> SceneOut:
    """Have the check-in code of a meeting made (host, clerk, party secretary)."""
    return SceneOut.model_validate(await scenes.make(app, actor, SceneKind.MEETING, meeting_id))


@router.get("/meetings/{meeting_id}/wxacode", response_class=CodeImage, responses=IMAGE)
async def get_meeting_code(meeting_id: UUID, app: App, actor: AnyActor) -> Response:
    """The image, to be put up at the door."""
    return await _read(app, actor, SceneKind.MEETING, meeting_id)


@router.get("/scenes/{scene}")
async def resolve_scene(
    scene: Annotated[str, Path(min_length=1, max_length=32)], db: Db, actor: AnyActor
) -> SceneOut:
    """What a scanned code leads to, if one may read it."""
    async with db.read(actor) as tx:
        return SceneOut.model_validate(await scenes.resolve(tx, scene))
