"""The web console: pages for people, over the same use cases as the API."""

from fastapi import Depends, FastAPI
from starlette.middleware.gzip import GZipMiddleware

from console import (
    account_actions,
    account_editing,
    accounts,
    activity,
    assets,
    audit,
    device,
    elsewhere,
    identity_providers,
    integration_form,
    integrations,
    live,
    overview,
    personal_tokens,
    refusals,
    role_bindings,
    roles,
    secret_groups,
    secrets,
    settings,
    sign_in,
    single_sign_on,
    teams,
    user_actions,
    user_tokens,
    users,
    welcome,
)
from console.assets import Assets
from console.live import Live
from console.parts import Parts
from console.rendering import Templates
from console.security import Headers
from console.unbroken import Unbroken
from console.visitors import visit
from services.runtime import Runtime
from services.verify.failed_logins import FailedLogins

_SMALL = 1_000  # bytes, which are not worth compressing

# Every page: what changes something is checked against forgery before it is looked at.
PAGES = (
    overview.router,
    account_editing.router,
    accounts.router,
    account_actions.router,
    personal_tokens.router,
    sign_in.router,
    single_sign_on.router,
    welcome.router,
    device.router,
    live.router,
    users.router,
    user_actions.router,
    user_tokens.router,
    teams.router,
    roles.router,
    role_bindings.router,
    integration_form.router,
    integrations.router,
    secret_groups.router,
    secrets.router,
    audit.router,
    activity.router,
    settings.router,
    identity_providers.router,
    elsewhere.router,
)


class Console(FastAPI):
    """The application; whoever serves it starts `live.listening`."""

    def __init__(self, parts: Parts) -> None:
        super().__init__(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
        self.state.parts = parts
        self.live = parts.live


def create_console(runtime: Runtime, logins: FailedLogins) -> Console:
    """The console over this runtime; opens nothing by itself."""
    files = Assets()
    parts = Parts(runtime, logins, files, Templates(files), Live(runtime))
    app = Console(parts)
    app.include_router(assets.router)
    for router in PAGES:
        app.include_router(router, dependencies=[Depends(visit)])
    refusals.install(app)
    app.add_middleware(Unbroken)
    app.add_middleware(GZipMiddleware, minimum_size=_SMALL)
    app.add_middleware(Headers, is_https=parts.is_https)
    return app
