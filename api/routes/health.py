"""Is the process alive, and is it ready to serve."""

from fastapi import APIRouter
from sqlalchemy import text

from api.dependencies import App
from api.problems import Unavailable
from api.wire import WireOut

router = APIRouter(tags=["health"])


class Health(WireOut):
    status: str


@router.get("/healthz")
async def healthz() -> Health:
    """The process is alive."""
    return Health(status="ok")


@router.get("/readyz")
async def readyz(app: App) -> Health:
    """The database answers."""
    try:
        async with app.db.read() as tx:
            await tx.session.connection()
            await tx.session.exec(text("SELECT 1"))  # type: ignore[call-overload]
    except Exception:
        raise Unavailable() from None
    return Health(status="ready")
