"""All routers, in the order of the contract."""

from fastapi import APIRouter

from api.routes import health

ROUTERS: tuple[APIRouter, ...] = (health.router,)
