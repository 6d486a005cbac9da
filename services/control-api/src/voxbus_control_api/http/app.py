"""The application: routes, errors, health, OpenAPI."""

from fastapi import FastAPI, Response
from structlog.stdlib import BoundLogger

from voxbus_control_api.http import assistant_routes, call_routes
from voxbus_control_api.http.answers import add_answers
from voxbus_control_api.http.api import Api


def create_app(api: Api, log: BoundLogger) -> FastAPI:
    app = FastAPI(
        title="Voxbus API",
        description="Speaks Vapi's REST API: change the base URL, keep the client.",
        openapi_url="/api-json",
        docs_url="/docs",
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.api = api
    app.include_router(assistant_routes.router)
    app.include_router(call_routes.router)
    add_answers(app, log)

    @app.get("/health", tags=["operation"])
    async def health(response: Response) -> dict[str, object]:  # pyright: ignore[reportUnusedFunction]
        state = api.health()
        if state["status"] != "ok":
            response.status_code = 503
        return state

    return app
