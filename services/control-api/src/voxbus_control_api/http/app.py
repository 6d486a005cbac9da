"""The application: routes, errors, health, OpenAPI."""

from fastapi import APIRouter, FastAPI, Request, Response
from structlog.stdlib import BoundLogger

from voxbus_control_api.http import assistant_routes, call_routes
from voxbus_control_api.http.answers import add_answers
from voxbus_control_api.http.api import Api, api_of

router = APIRouter(tags=["operation"])


@router.get("/health")
async def health(request: Request, response: Response) -> dict[str, object]:
    """503 while the bus or a consumer is away."""
    state = api_of(request).health()
    if state["status"] != "ok":
        response.status_code = 503
    return state


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
    for each in (assistant_routes.router, call_routes.router, router):
        app.include_router(each)
    add_answers(app, log)
    return app
