"""Photos of a topic: taken apart and made anew, checked before anybody sees them, and gone when
their author takes them back."""

import hashlib
import io
import random
import struct
import zlib
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from PIL import Image

from api.media_checks import check_key
from api.photos import BYTES, SIDE, PhotoFiles, PhotoUnreadable, develop
from consultation.deliberation.photo_tables import Photo
from consultation.permissions import Role
from consultation.topics.states import State
from consultation.topics.tables import Topic
from notifications.wechat.tables import MediaCheck
from tests.api.wechat_house import House
from tests.conftest import ManualClock
from tests.consultation.topics import story
from tests.pictures import a_picture
from tests.world import a_topic


async def a_draft(house: House, state: State = State.DRAFT, **more: Any) -> Topic:
    return await a_topic(house.db, house.world, state=state, **more)


async def send(
    house: House,
    topic: Topic,
    picture: bytes | None = None,
    *,
    name: str = "resident1",
    plan: str = "pass",
    alt: str = "单元门口的楼梯",
) -> httpx.Response:
    await house.fake.media_verdict(plan)
    return await house.http.post(
        f"/v1/topics/{topic.id}/photos",
        data={"alt": alt},
        files={"file": ("IMG_0001.JPG", picture or a_picture(), "image/jpeg")},
        headers=house.world.headers(name),
    )


async def shown(
    house: House, topic: Topic, name: str | None = None, role: Role | None = None
) -> list[dict[str, Any]]:
    headers = {} if name is None else house.world.headers(name, role)
    answer = await house.http.get(f"/v1/topics/{topic.id}/photos", headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def picture(
    house: House, id: str, name: str | None = None, role: Role | None = None
) -> httpx.Response:
    headers = {} if name is None else house.world.headers(name, role)
    return await house.http.get(f"/v1/photos/{id}", headers=headers)


async def queue(house: House) -> list[dict[str, Any]]:
    answer = await house.http.get(
        f"/v1/communities/{house.world.community.id}/content-reviews",
        headers=house.world.headers("clerk", Role.CLERK),
    )
    return answer.json()["items"]


async def decide(house: House, review: dict[str, Any], **body: Any) -> httpx.Response:
    return await house.http.put(
        f"/v1/content-reviews/{review['id']}/decision",
        json=body,
        headers=house.world.headers("clerk", Role.CLERK),
    )


# ---- who sees what ------------------------------------------------------------------------


async def test_a_photo_is_seen_by_its_author_alone_until_the_machine_lets_it_pass(
    house: House,
) -> None:
    await house.account("resident1")
    topic = await a_draft(house)
    answer = await send(house, topic)
    assert answer.status_code == 201, answer.text
    id = answer.json()["id"]
    await story.force(house.db, topic.id, State.ACCEPTED, was_public=True)

    assert [one["state"] for one in await shown(house, topic, "resident1")] == ["waiting"]
    assert [one["id"] for one in await shown(house, topic, "clerk", Role.CLERK)] == [id]
    for name in (None, "resident2", "neighbour"):
        assert await shown(house, topic, name) == []
        assert (await picture(house, id, name)).status_code == 404
    await house.errands()
    assert await shown(house, topic) == []
    await house.deliver()

    (one,) = await shown(house, topic)
    assert (one["state"], one["alt"], one["width"], one["height"]) == (
        "shown",
        "单元门口的楼梯",
        12,
        8,
    )
    seen = await picture(house, id)
    assert seen.headers["content-type"] == "image/jpeg"
    assert seen.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in seen.headers["content-security-policy"]
    assert Image.open(io.BytesIO(seen.content)).format == "JPEG"


async def test_a_photo_is_as_visible_as_its_topic(house: House) -> None:
    await house.account("resident1")
    topic = await a_draft(house)
    id = (await send(house, topic)).json()["id"]
    await house.errands()
    await house.deliver()

    assert [one["state"] for one in await shown(house, topic, "resident1")] == ["shown"]
    assert (await picture(house, id)).status_code == 404
    assert (await house.http.get(f"/v1/topics/{topic.id}/photos")).status_code == 404


async def test_wechat_fetches_the_picture_at_an_address_that_nobody_can_guess(house: House) -> None:
    await house.account("resident1")
    topic = await a_draft(house)
    first = (await send(house, topic)).json()["id"]
    second = (await send(house, topic, a_picture(width=14))).json()["id"]
    await house.errands()
    checks = {str(check.id): check for check in await house.rows(MediaCheck)}
    assert checks.keys() == {first, second}
    url = urlsplit(checks[first].url)
    assert (url.scheme, url.netloc) == ("https", "minyi.test")
    path = f"{url.path}?{url.query}"

    fetched = await house.http.get(path)
    assert fetched.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(fetched.content)).size == (12, 8)
    async with house.db.read() as tx:
        key = check_key(tx, checks[second].id)
    assert (await house.http.get(f"{url.path}?key={key}")).status_code == 404
    assert (await house.http.get(f"{url.path}?key=é")).status_code == 404
    for _ in checks:  # one after the other, as both are of one person
        await house.deliver(times=2)
        await house.errands()
    assert (await house.http.get(path)).status_code == 404, "decided: nobody need fetch it so"


# ---- what a person decides ----------------------------------------------------------------


@pytest.mark.parametrize("plan", ["review", "risky", "download_error"])
async def test_what_the_machine_does_not_let_pass_is_shown_when_a_person_keeps_it(
    house: House, plan: str
) -> None:
    await house.account("resident1")
    topic = await a_draft(house)
    await send(house, topic, plan=plan)
    await story.force(house.db, topic.id, State.ACCEPTED, was_public=True)
    await house.errands()
    await house.deliver()
    assert await shown(house, topic) == []
    (review,) = await queue(house)
    assert (review["subject_kind"], review["text"]) == ("medium", "单元门口的楼梯")
    assert (await picture(house, review["subject_id"], "clerk", Role.CLERK)).status_code == 200

    assert (await decide(house, review, decision="keep")).status_code == 200
    assert [one["state"] for one in await shown(house, topic)] == ["shown"]


async def test_what_a_person_hides_stays_hidden_when_a_pass_comes_late(
    house: House, clock: ManualClock
) -> None:
    await house.account("resident1")
    topic = await a_draft(house)
    id = (await send(house, topic)).json()["id"]
    await story.force(house.db, topic.id, State.ACCEPTED, was_public=True)
    await house.errands()
    clock.advance(minutes=35)
    await house.errands()
    (review,) = await queue(house)
    assert review["cause"] == "timed_out"
    hide = {"decision": "hide", "reason_code": "names_a_person", "reason": "照片里有别人的门牌"}
    assert (await decide(house, review, **hide)).json()["state"] == "hidden"
    await house.deliver()

    assert await shown(house, topic) == []
    assert (await picture(house, id)).status_code == 404
    (mine,) = await shown(house, topic, "resident1")
    assert (mine["state"], mine["hidden_reason"]) == ("hidden", "照片里有别人的门牌")


async def test_a_late_pass_shows_what_nobody_has_decided(house: House, clock: ManualClock) -> None:
    await house.account("resident1")
    topic = await a_draft(house)
    await send(house, topic)
    await house.errands()
    clock.advance(minutes=35)
    await house.errands()
    await house.deliver()
    assert [one["state"] for one in await shown(house, topic, "resident1")] == ["shown"]
    assert await queue(house) == []


async def test_without_an_account_or_a_machine_a_person_looks(house: House) -> None:
    topic = await a_draft(house)
    await send(house, topic)
    await house.errands()
    assert [review["cause"] for review in await queue(house)] == ["no_account"]
    unchecked = house.services.settings.model_copy(update={"content_check": "none"})
    house.services.settings = unchecked
    await send(house, topic, a_picture(width=20))
    assert sorted(review["cause"] for review in await queue(house)) == ["no_account", "no_machine"]
    assert await house.fake.calls("/wxa/media_check_async") == 0


# ---- sending ------------------------------------------------------------------------------


async def test_the_same_file_again_is_the_same_photo(house: House) -> None:
    topic = await a_draft(house)
    first = (await send(house, topic)).json()
    again = await send(house, topic, alt="另一句话")
    assert (again.status_code, again.json()) == (201, first)
    other = await send(house, await a_draft(house))
    assert other.json()["id"] != first["id"]
    assert len(await house.rows(Photo)) == len(await house.rows(MediaCheck)) == 2


async def test_only_the_author_sends_and_only_while_the_topic_may_be_changed(house: House) -> None:
    topic = await a_draft(house, State.RETURNED)
    assert (await send(house, topic)).status_code == 201
    await story.force(house.db, topic.id, State.ACCEPTED, was_public=True)
    late = await send(house, topic, a_picture(width=20))
    assert (late.status_code, late.json()["code"]) == (409, "draft-frozen")
    other = await send(house, topic, a_picture(width=20), name="resident2")
    assert (other.status_code, other.json()["code"]) == (403, "not-the-author")
    id = (await shown(house, topic, "resident1"))[0]["id"]
    headers = house.world.headers("resident1")
    frozen = await house.http.delete(f"/v1/photos/{id}", headers=headers)
    assert (frozen.status_code, frozen.json()["code"]) == (409, "draft-frozen")


async def test_nothing_is_decoded_for_whoever_may_send_nothing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(sent: bytes) -> None:
        raise AssertionError("decoded")

    monkeypatch.setattr(house.services.photos, "develop", never)
    topic = await a_draft(house, State.ACCEPTED, was_public=True)
    assert (await send(house, topic, name="resident2")).status_code == 403
    assert (await send(house, topic, name="visitor")).status_code == 403


async def test_a_topic_has_nine_photos(house: House) -> None:
    topic = await a_draft(house)
    for number in range(9):
        assert (await send(house, topic, a_picture(width=20 + 2 * number))).status_code == 201
    tenth = await send(house, topic, a_picture(width=60))
    assert (tenth.status_code, tenth.json()["code"]) == (409, "too-many-photos")


async def test_what_its_author_takes_back_is_gone(house: House) -> None:
    await house.account("resident1")
    topic = await a_draft(house)
    id = (await send(house, topic)).json()["id"]
    (kept,) = await house.rows(Photo)
    assert await house.services.photos.get(topic.id, kept.sha256) is not None
    mine, other = house.world.headers("resident1"), house.world.headers("resident2")

    assert (await house.http.delete(f"/v1/photos/{id}", headers=other)).status_code == 404
    assert (await house.http.delete(f"/v1/photos/{id}", headers=mine)).status_code == 204
    assert await house.rows(Photo) == []
    assert await house.services.photos.get(topic.id, kept.sha256) is None
    await house.errands()
    await house.deliver()
    assert await shown(house, topic, "resident1") == []


async def test_without_a_folder_there_are_no_photos(house: House) -> None:
    house.services.photos = PhotoFiles(None)
    answer = await send(house, await a_draft(house))
    assert (answer.status_code, answer.json()["code"]) == (404, "not-found")


async def test_too_large_a_file_is_refused_before_it_is_decoded(house: House) -> None:
    topic = await a_draft(house)
    over = await send(house, topic, a_picture() + b"0" * BYTES)
    assert (over.status_code, over.json()["code"]) == (422, "photo-unreadable")
    far_over = await send(house, topic, b"0" * (BYTES + 200_000))
    assert far_over.status_code == 413


# ---- the picture --------------------------------------------------------------------------


def exif() -> Image.Exif:
    made = Image.Exif()
    made[0x010E] = "SECRET description"
    made[0x0112] = 6  # to be turned by 90 degrees
    made.get_ifd(0x8825)[2] = (32.0, 3.0, 41.0)
    return made


def test_nothing_but_the_picture_is_kept() -> None:
    sent = a_picture(40, 20, format="JPEG", exif=exif(), comment=b"SECRET comment")
    sent += b"<script>SECRET</script>PK\x03\x04SECRET"
    assert b"SECRET" in sent
    made = develop(sent)

    assert b"SECRET" not in made.content
    assert b"script" not in made.content
    image = Image.open(io.BytesIO(made.content))
    assert (image.size, image.format, image.mode) == ((20, 40), "JPEG", "RGB")
    assert dict(image.getexif()) == {}
    assert image.info.keys() <= {"jfif", "jfif_version", "jfif_unit", "jfif_density", "dpi"}
    assert made.sha256 == hashlib.sha256(made.content).hexdigest()
    assert made.source_sha256 == hashlib.sha256(sent).hexdigest()
    top = image.getpixel((10, 5))
    assert isinstance(top, tuple)
    assert top[0] > 200 > 60 > top[2], "upright: what was left is on top"


@pytest.mark.parametrize(
    ("format", "mode"),
    [
        ("JPEG", "L"),
        ("JPEG", "CMYK"),
        ("PNG", "RGBA"),
        ("PNG", "P"),
        ("PNG", "1"),
        ("PNG", "I;16"),
        ("WEBP", "RGB"),
        ("WEBP", "RGBA"),
    ],
)
def test_every_kind_of_picture_that_phones_send_is_read(format: str, mode: str) -> None:
    made = develop(a_picture(40, 20, format=format, mode=mode))
    assert (made.width, made.height) == (40, 20)


def test_a_large_picture_is_made_small() -> None:
    made = develop(a_picture(5000, 2500, format="JPEG"))
    assert (made.width, made.height) == (SIDE, SIDE // 2)


def test_what_is_transparent_becomes_white() -> None:
    clear = io.BytesIO()
    Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(clear, "PNG")
    made = develop(clear.getvalue())
    assert Image.open(io.BytesIO(made.content)).getpixel((4, 4)) == (255, 255, 255)


def bomb(side: int) -> bytes:
    """A PNG of a few bytes that unfolds to ``side`` squared pixels, if it unfolds."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        sum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", sum)

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(b"\0" * 100_000))
    return b"\x89PNG\r\n\x1a\n" + header + pixels + chunk(b"IEND", b"")


NO_PICTURES = {
    "nothing": b"",
    "text": "照片".encode(),
    "html": b"<html><script>alert(1)</script></html>",
    "svg": b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
    "gif": a_picture(format="GIF"),
    "bmp": a_picture(format="BMP"),
    "tiff": a_picture(format="TIFF"),
    "ico": a_picture(16, 16, format="ICO"),
    "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 1 1\nshowpage",
    "pdf": b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj",
    "zip": b"PK\x03\x04" + b"\0" * 60,
    "html that says GIF": b"GIF89a/*<html>*/=alert(1)",
    "cut jpeg": a_picture(400, 200, format="JPEG")[:700],
    "cut png": a_picture(400, 200)[:60],
    "header only": b"\x89PNG\r\n\x1a\n",
    "jpeg header only": b"\xff\xd8\xff\xe0",
    "short bomb": bomb(4_900),
    "bomb": bomb(9_000),
    "big bomb": bomb(15_000),
    "huge bomb": bomb(60_000),
}


@pytest.mark.parametrize("name", NO_PICTURES)
def test_what_is_no_picture_is_refused(name: str) -> None:
    with pytest.raises(PhotoUnreadable):
        develop(NO_PICTURES[name])


@pytest.mark.parametrize("seed", range(40))
def test_damaged_files_are_refused_or_come_out_as_pictures(seed: int) -> None:
    source = random.Random(seed)
    for format in ("JPEG", "PNG", "WEBP"):
        damaged = bytearray(a_picture(64, 48, format=format))
        for _ in range(source.randint(1, 12)):
            damaged[source.randrange(len(damaged))] = source.randrange(256)
        try:
            made = develop(bytes(damaged))
        except PhotoUnreadable:
            continue
        assert Image.open(io.BytesIO(made.content)).format == "JPEG"
