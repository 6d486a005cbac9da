"""Errors in the shape the public API's clients read: `{message, error, statusCode}`."""

import time
from collections.abc import Awaitable, Callable

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from structlog.stdlib import BoundLogger

from voxbus_bus.failures import where_raised
from voxbus_control_api import metrics
from voxbus_control_api.errors import ApiError, BadRequest
from voxbus_control_api.rate_limit import Verdict
from voxbus_database import DatabaseUnreachable


def add_answers(app: FastAPI, log: BoundLogger) -> None:
    """Error handlers and the counting of requests."""

    @app.exception_handler(ApiError)
    async def on_api_error(_request: Request, error: ApiError) -> Response:  # pyright: ignore[reportUnusedFunction]
        message = error.problems if isinstance(error, BadRequest) else str(error)
        return problem(error.status, error.title, message)

    @app.exception_handler(DatabaseUnreachable)
    async def on_no_database(  # pyright: ignore[reportUnusedFunction]
        _request: Request, problem_: DatabaseUnreachable
    ) -> Response:
        log.error("no database", problem=str(problem_))
        return problem(503, "Service Unavailable", "the database does not answer; try again")

    @app.exception_handler(RequestValidationError)
    async def on_bad_parameter(  # pyright: ignore[reportUnusedFunction]
        _request: Request, error: RequestValidationError
    ) -> Response:
        said = [f"{'.'.join(str(part) for part in each['loc'][1:])} {each['msg']}" for each in error.errors()]
        return problem(400, "Bad Request", said)

    @app.exception_handler(HTTPException)
    async def on_no_route(request: Request, error: HTTPException) -> Response:  # pyright: ignore[reportUnusedFunction]
        if error.status_code in (404, 405):
            return problem(404, "Not Found", f"Cannot {request.method} {request.url.path}")
        return problem(error.status_code, "Error", str(error.detail))

    @app.middleware("http")
    async def count(  # pyright: ignore[reportUnusedFunction]
        request: Request, go_on: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        started_s = time.monotonic()
        try:
            response = _refused(request) or await go_on(request)
        except Exception as unexpected:  # noqa: BLE001  # the client gets an answer, the log the place
            response = _failed(log, request, unexpected)
        rate: Verdict | None = getattr(request.state, "rate", None)
        if rate is not None and rate.limit:
            response.headers.update(rate.headers())
        route = getattr(request.scope.get("route"), "path", "none")
        metrics.REQUESTS.labels(request.method, route, str(response.status_code)).inc()
        metrics.REQUEST_S.labels(request.method, route).observe(time.monotonic() - started_s)
        return response


def _refused(request: Request) -> Response | None:
    """The character NUL is in no id and no filter, and PostgreSQL takes it in no text."""
    if "\x00" in request.scope["path"]:
        return problem(404, "Not Found", f"Cannot {request.method} this path")
    if b"%00" in request.scope["query_string"]:
        return problem(400, "Bad Request", ["query must not contain the character NUL"])
    return None


def _failed(log: BoundLogger, request: Request, unexpected: Exception) -> Response:
    where = where_raised(unexpected)
    log.error("request failed", method=request.method, problem=type(unexpected).__name__, where=where)
    return problem(500, "Internal Server Error", "something went wrong on this server")


def problem(status: int, title: str, message: str | list[str]) -> JSONResponse:
    return JSONResponse({"message": message, "error": title, "statusCode": status}, status)
