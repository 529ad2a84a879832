"""All routers, in the order of the contract."""

from fastapi import APIRouter

from api.routes import (
    adoption,
    ballots,
    communities,
    dissent,
    feedback,
    health,
    me,
    meetings,
    outcomes,
    polls,
    residence,
    roles,
    session,
    statements,
    streams,
    surveys,
    tasks,
    threads,
)

ROUTERS: tuple[APIRouter, ...] = (health.router, session.router, me.router, residence.router, communities.router, roles.router, threads.router, statements.router, meetings.router, polls.router, ballots.router, outcomes.router, adoption.router, tasks.router, feedback.router, dissent.router, surveys.router, streams.router)
