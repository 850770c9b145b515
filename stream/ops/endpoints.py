"""`/healthz`, `/readyz` and `/metrics` of one process, as an ASGI application that uvicorn serves."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from stream.ops.health import Answer, Health
from stream.ops.metrics import CONTENT_TYPE, Metrics


def operations(health: Health, metrics: Metrics) -> Starlette:
    """The application. The web role mounts its routes beside its own."""
    return Starlette(routes=operations_routes(health, metrics))


def operations_routes(health: Health, metrics: Metrics) -> list[Route]:
    """The three routes."""

    async def healthz(_: Request) -> Response:
        return _answered(health.live())

    async def readyz(_: Request) -> Response:
        return _answered(health.ready())

    async def exposition(_: Request) -> Response:
        return Response(metrics.exposition(), headers={"content-type": CONTENT_TYPE})

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", exposition)]


def _answered(answer: Answer) -> Response:
    return JSONResponse(answer.body(), status_code=answer.status)
