"""The HTTP service: translate, call one use case, translate back."""

from fastapi import FastAPI

from api import (
    audit,
    device_login,
    documents,
    health,
    integrations,
    manifests,
    personal_access_tokens,
    places,
    refusals,
    roles,
    rotations,
    secret_groups,
    secrets,
    settings,
    start_up,
    teams,
    users,
    verify,
    virtual_accounts,
)
from api.described import DESCRIPTION, TAGS
from api.failed_logins import FailedLogins
from api.limits import BodyLimit
from api.request_ids import RequestIds
from services.runtime import Runtime


def create_app(runtime: Runtime) -> FastAPI:
    """The application over this runtime; opens nothing by itself."""
    app = documents.Documented(
        title="Keyturn",
        description=DESCRIPTION,
        version="0.1.0",
        openapi_tags=TAGS,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        redirect_slashes=False,
    )
    app.state.runtime = runtime
    app.state.failed_logins = FailedLogins(runtime)
    app.mount("/docs/assets", documents.assets())
    for router in (
        documents.router,
        health.router,
        verify.router,
        users.router,
        personal_access_tokens.router,
        teams.router,
        roles.router,
        settings.router,
        virtual_accounts.router,
        rotations.router,
        places.router,
        integrations.router,
        secret_groups.router,
        secrets.router,
        manifests.router,
        start_up.router,
        device_login.router,
        audit.router,
    ):
        app.include_router(router)
    refusals.install(app)
    app.add_middleware(BodyLimit, runtime=runtime)
    app.add_middleware(RequestIds, runtime=runtime)
    return app
