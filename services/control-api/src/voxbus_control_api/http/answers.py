"""Errors in the shape the public API's clients read: `{message, error, statusCode}`."""

import time

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send
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

    app.add_middleware(Counted, log=log)


class Counted:
    """Around every request: what is refused at once, the rate's headers, the answer to what nobody expected, counting.

    Not the framework's own kind of middleware, which takes a task and two streams per request.
    """

    def __init__(self, app: ASGIApp, log: BoundLogger) -> None:
        self._app = app
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request, started_s, status = Request(scope), time.monotonic(), 0

        async def tell(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _add_rate(request, message)
            await send(message)

        try:
            await (_refused(request) or self._app)(scope, receive, tell)
        except Exception as unexpected:
            if status:
                raise  # the answer has begun: it can only break off
            await _failed(self._log, request, unexpected)(scope, receive, tell)
        finally:
            route = getattr(scope.get("route"), "path", "none")
            metrics.REQUESTS.labels(request.method, route, str(status)).inc()
            metrics.REQUEST_S.labels(request.method, route).observe(time.monotonic() - started_s)


def _add_rate(request: Request, start: Message) -> None:
    rate: Verdict | None = getattr(request.state, "rate", None)
    if rate is not None and rate.limit:
        MutableHeaders(scope=start).update(rate.headers())


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
