"""The public pages: the boards, a community, a topic. Not part of the API contract."""

from functools import cache
from importlib import resources
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from api.dependencies import CurrentActor, Db, Locale
from api.pages.saying import words_in
from api.pages.views import community_view, home_view, sheet_view, topic_view
from api.pagination import CursorParam, read_time_cursor, time_cursor
from api.problems import Problem
from consultation.topics.states import StateGroup
from notifications import sheets

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

PAGES = ("/c/", "/t/", "/grids/", "/communities/")
"""Where pages lie, besides ``/``."""
HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "cache-control": "no-cache",
}


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("api.pages", "templates"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _css() -> str:
    return resources.files("api.pages").joinpath("templates/page.css").read_text("utf-8")


def _page(template: str, locale: str, content: dict[str, Any]) -> HTMLResponse:
    html = (
        _templates()
        .get_template(template)
        .render(content, t=words_in(locale), lang=locale, css=_css())
    )
    return HTMLResponse(html, headers=HEADERS | {"content-language": locale})


def problem_page(problem: Problem, path: str, accept: str, locale: str) -> HTMLResponse | None:
    """A refusal as a page, where a page was asked for; None where a program asks. Of a page's own
    path it does not depend on ``accept``: answers there are kept for everybody alike."""
    page = path == "/" or path.startswith(PAGES)
    if not page and (path.startswith("/v1/") or "text/html" not in accept):
        return None
    answer = _page("problem.html", locale, {"problem": problem})
    answer.status_code = problem.status
    return answer


@router.get("/")
async def home_page(db: Db, locale: Locale) -> HTMLResponse:
    """The boards of all communities."""
    async with db.read() as tx:
        return _page("home.html", locale, {"communities": await home_view(tx)})


@router.get("/c/{community_id}")
async def community_page(
    community_id: UUID, db: Db, locale: Locale, group: str = "", cursor: CursorParam = None
) -> HTMLResponse:
    """The notice board of a community; an unknown group shows all."""
    wanted = StateGroup(group) if group in list(StateGroup) else None
    async with db.read() as tx:
        view = await community_view(
            tx, community_id, wanted, read_time_cursor(cursor), words_in(locale)
        )
    last = view["next"]
    view["next"] = None if last is None else time_cursor(last.created_at, last.id)
    return _page("community.html", locale, view)


@router.get("/t/{topic_id}")
async def topic_page(topic_id: UUID, db: Db, locale: Locale) -> HTMLResponse:
    """A topic with all that is public of it."""
    async with db.read() as tx:
        view = await topic_view(tx, topic_id, words_in(locale), locale)
    return _page("topic.html", locale, view)


@router.get("/grids/{grid_id}/sheet")
async def sheet_page(grid_id: UUID, actor: CurrentActor, db: Db) -> HTMLResponse:
    """Notices to bring to doors, to be printed; in Chinese. For the grid's own worker and the
    clerk, with the access token of a request like any other."""
    async with db.read(actor) as tx:
        view = await sheet_view(tx, *await sheets.sheet(tx, grid_id), words_in("zh-CN"))
    return _sheet(view)


@router.get("/communities/{community_id}/sheet")
async def community_sheet_page(community_id: UUID, actor: CurrentActor, db: Db) -> HTMLResponse:
    """The same for people of whom no grid is known, for the clerk."""
    async with db.read(actor) as tx:
        found = await sheets.sheet_of_no_grid(tx, community_id)
        view = await sheet_view(tx, *found, words_in("zh-CN"))
    return _sheet(view)


def _sheet(view: dict[str, Any]) -> HTMLResponse:
    page = _page("sheet.html", "zh-CN", view)
    page.headers["cache-control"] = "no-store"
    return page
