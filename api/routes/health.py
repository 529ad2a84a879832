"""Is the process alive, and is it ready to serve."""

from datetime import timedelta

from fastapi import APIRouter

from api.dependencies import App
from api.migrations import runner
from api.problems import Unavailable
from api.wire import WireOut
from consultation import jobs

router = APIRouter(tags=["health"])

MOST_LAG = timedelta(minutes=5)
"""Jobs open and close polls on time; a worker further behind is not doing its work."""


class Health(WireOut):
    """``degraded``: what does not answer and is done without, more slowly: ``bus``, the way between
    server processes. Absent if there is nothing."""

    status: str
    degraded: list[str] | None = None


@router.get("/healthz", response_model_exclude_none=True)
async def healthz() -> Health:
    """The process is alive."""
    return Health(status="ok")


@router.get("/readyz", response_model_exclude_none=True)
async def readyz(app: App) -> Health:
    """The database answers, its schema is the program's, and jobs are done in time.
    ``facts.reason`` of the refusal says which is not: ``database``, ``schema`` or ``jobs``."""
    try:
        async with app.db.read() as tx:
            connection = await tx.session.connection()
            at = await connection.run_sync(runner.current_of)
            due = await jobs.next_due(tx) if at == runner.head() else None
            now = tx.now
    except Exception:
        raise Unavailable(reason="database") from None
    if at != runner.head():
        raise Unavailable(reason="schema")
    if due is not None and now - due > MOST_LAG:
        raise Unavailable(reason="jobs")
    return Health(status="ready", degraded=None if app.bus.connected else ["bus"])
