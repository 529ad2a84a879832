"""All routers, in the order of the contract."""

from fastapi import APIRouter

from api.routes import ballots, health, me, polls, residence, session, statements, streams, threads

ROUTERS: tuple[APIRouter, ...] = (health.router, session.router, me.router, residence.router, threads.router, statements.router, polls.router, ballots.router, streams.router)
