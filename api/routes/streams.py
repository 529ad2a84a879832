"""The live streams over plain HTTP, for clients whose socket is blocked or not open yet."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from api.dependencies import AnyActor, App
from api.live.house import bounds
from api.problems import Unavailable
from consultation.permissions import Actor
from consultation.refusals import NotFound
from notifications.messages import Cursor, Envelope, StreamHead, StreamState
from notifications.replay import LogNotOpen, Replay, replay

router = APIRouter(prefix="/v1", tags=["live"])

StreamId = Annotated[
    str, Path(max_length=80, description="`community:{id}`, `topic:{id}`, `poll:{id}`, `user:{id}`")
]


class StreamEvents(StreamState):
    """``events`` follow the client's place without a gap. Where the last one is not ``head_seq``,
    ask again after it. Without ``recovered`` there are none: fetch what you show afresh."""

    events: list[Envelope]


@router.get("/streams/{stream_id}")
async def get_stream(stream_id: StreamId, app: App, actor: AnyActor) -> StreamHead:
    """How far the stream has come."""
    state = (await _replay(app, actor, Cursor(id=stream_id))).state
    assert state.epoch is not None
    assert state.head_seq is not None
    return StreamHead(id=state.id, epoch=state.epoch, head_seq=state.head_seq)


@router.get("/streams/{stream_id}/events")
async def list_stream_events(
    stream_id: StreamId,
    app: App,
    actor: AnyActor,
    epoch: Annotated[str | None, Query(max_length=16)] = None,
    after: Annotated[
        int | None, Query(ge=0, lt=2**31, description="The last `seq` that the client has")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 200,
) -> StreamEvents:
    """The events after the client's place, with the same bounds and envelope as the socket."""
    found = await _replay(app, actor, Cursor(id=stream_id, epoch=epoch, after_seq=after))
    return StreamEvents(**found.state.model_dump(), events=found.events[:limit])


async def _replay(app: App, actor: Actor, cursor: Cursor) -> Replay:
    try:
        async with app.db.read(actor) as tx:
            found = (await replay(tx, [cursor], bounds(app.settings)))[0]
    except LogNotOpen:
        raise Unavailable() from None
    if not found.followed:
        raise NotFound(what="stream")
    return found
