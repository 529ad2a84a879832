"""All routers, in the order of the contract."""

from fastapi import APIRouter

from api.routes import health, me, residence, session, statements, threads

ROUTERS: tuple[APIRouter, ...] = (health.router, session.router, me.router, residence.router, threads.router, statements.router)
