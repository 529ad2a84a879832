"""Photos of a topic: sent one by one, shown once they have passed, and nothing but pictures."""

import hmac
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Form, Query, Response, UploadFile

from api.dependencies import AnyActor, App, CurrentActor, Db, Locale
from api.media_checks import ask_for_photo_check, check_key
from api.photos import BYTES, PhotoUnreadable
from api.wire import WireOut
from api.words import say
from consultation.deliberation import photo_queries as queries
from consultation.deliberation.commands import photos
from consultation.deliberation.photo_tables import Photo, PhotoState
from consultation.refusals import NotFound

router = APIRouter(prefix="/v1", tags=["photos"])

HEADERS = {
    "content-security-policy": "default-src 'none'; sandbox",
    "content-disposition": "inline",
    "cross-origin-resource-policy": "cross-origin",
}
PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}}}
}


class PhotoOut(WireOut):
    """``alt`` says in words what is to be seen. ``hidden_reason`` is for the author and staff, who
    alone are given photos that wait or are hidden."""

    id: UUID
    topic_id: UUID
    alt: str
    width: int
    height: int
    state: PhotoState
    state_text: str
    hidden_reason: str | None
    created_at: datetime


def photo_out(photo: Photo, locale: str) -> PhotoOut:
    text = say(locale, f"words.photo_state.{photo.state}")
    return PhotoOut.model_validate({**photo.model_dump(), "state_text": text})


@router.post("/topics/{topic_id}/photos", status_code=201)
async def add_photo(
    topic_id: UUID,
    actor: CurrentActor,
    app: App,
    locale: Locale,
    file: UploadFile,
    alt: Annotated[str, Form(min_length=1, max_length=120)],
) -> PhotoOut:
    """Lay a photo before the community with a draft or a returned topic, as wx.uploadFile sends
    it: a JPEG, PNG or WebP of at most 10 MiB. ``alt`` says in words what is to be seen. Nobody
    else sees it before it has passed. The same file again is the same photo."""
    app.photos.check_kept()
    async with app.db.read(actor) as tx:
        await queries.check_own_topic(tx, topic_id)
    sent = await file.read(BYTES + 1)
    if len(sent) > BYTES:
        raise PhotoUnreadable()
    picture = await app.photos.develop(sent)
    async with app.db.begin(actor) as tx:
        photo, new = await photos.add_photo(tx, app.photos, topic_id, picture, alt=alt)
        if new:
            await ask_for_photo_check(tx, app.settings, photo)
        return photo_out(photo, locale)


@router.get("/topics/{topic_id}/photos")
async def list_photos(topic_id: UUID, actor: AnyActor, db: Db, locale: Locale) -> list[PhotoOut]:
    """The photos of a topic, at most nine: those that have passed; for the author and staff all."""
    async with db.read(actor) as tx:
        return [photo_out(photo, locale) for photo in await queries.photos_of(tx, topic_id)]


@router.delete("/photos/{photo_id}", status_code=204)
async def remove_photo(photo_id: UUID, actor: CurrentActor, app: App) -> None:
    """The author takes a photo back while the topic may still be changed."""
    async with app.db.begin(actor) as tx:
        await photos.remove_photo(tx, app.photos, photo_id)


@router.get("/photos/{photo_id}", response_class=Response, responses=PICTURE)
async def get_photo(photo_id: UUID, actor: AnyActor, app: App) -> Response:
    """The picture, a JPEG. One that has not passed is there for its author and staff only."""
    async with app.db.read(actor) as tx:
        photo = await queries.access_photo(tx, photo_id)
    return await _picture(app, photo)


@router.get("/photos/{photo_id}/check", response_class=Response, responses=PICTURE)
async def get_photo_for_check(
    photo_id: UUID, key: Annotated[str, Query(max_length=64)], app: App
) -> Response:
    """The picture for WeChat's check, at the address that only WeChat is given, until it is
    decided."""
    async with app.db.read() as tx:
        if not hmac.compare_digest(check_key(tx, photo_id).encode(), key.encode()):
            raise NotFound(what="photo")
        photo = await queries.photo_in_check(tx, photo_id)
    return await _picture(app, photo)


async def _picture(app: App, photo: Photo) -> Response:
    content = await app.photos.get(photo.topic_id, photo.sha256)
    if content is None:
        raise NotFound(what="photo")
    return Response(content, media_type="image/jpeg", headers=HEADERS)
