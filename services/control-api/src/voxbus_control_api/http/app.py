"""The application: routes, errors, health, OpenAPI."""

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.middleware.cors import CORSMiddleware
from structlog.stdlib import BoundLogger

from voxbus_control_api.http import (
    analytics_routes,
    artifact_routes,
    call_routes,
    call_v2_routes,
    chat_routes,
    control_routes,
    credential_routes,
    delivery_routes,
    event_routes,
    file_routes,
    knowledge_routes,
    listen_routes,
    number_import_routes,
    org_routes,
    session_routes,
    structured_output_routes,
    template_routes,
    token_routes,
)
from voxbus_control_api.http.answers import add_answers
from voxbus_control_api.http.api import Api, api_of
from voxbus_control_api.http.openapi import add_openapi
from voxbus_control_api.http.resource_routes import resource_router

_TOLD_TO_PAGES = ["Retry-After", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"]

_OF_RESOURCES = (
    analytics_routes,
    artifact_routes,
    call_routes,
    call_v2_routes,
    chat_routes,
    control_routes,
    credential_routes,
    delivery_routes,
    event_routes,
    file_routes,
    knowledge_routes,
    listen_routes,
    number_import_routes,
    org_routes,
    session_routes,
    structured_output_routes,
    template_routes,
    token_routes,
)

router = APIRouter(tags=["operation"])


@router.get("/openapi.json", include_in_schema=False)
async def openapi(request: Request) -> JSONResponse:
    """The document under its usual name; `/api-json` is the reference's."""
    return JSONResponse(request.app.openapi())


@router.get("/health", responses={503: {"description": "The bus or a consumer is away"}})
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
    app.include_router(resource_router())
    for each in _OF_RESOURCES:
        app.include_router(each.router)
    app.include_router(router)
    add_answers(app, log)
    # Pages call the API with a public key; which pages may is the key's own restriction, and cookies are never used.
    app.add_middleware(
        CORSMiddleware, allow_origins=["*"], allow_methods=["*"], allow_headers=["*"], expose_headers=_TOLD_TO_PAGES
    )
    add_openapi(app)
    return app
