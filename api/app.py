"""The HTTP service: translate, call one use case, translate back."""

from starlette.types import ASGIApp, Receive, Scope, Send

from api import (
    acknowledge,
    activity,
    audit,
    channels,
    device_login,
    documents,
    health,
    identity_providers,
    integrations,
    leaks,
    manifests,
    metrics,
    personal_access_tokens,
    places,
    published,
    refusals,
    roles,
    rotations,
    secret_groups,
    secrets,
    settings,
    start_up,
    teams,
    token_exchange,
    users,
    uses,
    verify,
    virtual_accounts,
)
from api.described import DESCRIPTION, TAGS
from api.fast_lane import FastLane
from api.limits import BodyLimit
from api.request_ids import RequestIds
from services.runtime import Runtime
from services.verify.failed_logins import FailedLogins
from services.verify.verifier import Verifier

_CALLS = ("/api/", "/.well-known/")


class Service(documents.Documented):
    """The application behind the fast lane; whoever serves it starts `verifier.listener`."""

    def __init__(self, runtime: Runtime, logins: FailedLogins) -> None:
        super().__init__(
            title="Keyturn",
            description=DESCRIPTION,
            version="0.1.0",
            openapi_tags=TAGS,
            docs_url=None,
            redoc_url=None,
            openapi_url="/openapi.json",
            redirect_slashes=False,
        )
        self.verifier = Verifier(runtime)
        self.state.runtime = runtime
        self.state.failed_logins = logins
        self._lane = FastLane(runtime, self.verifier, logins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        lane = self._lane.of(scope)
        if lane is None:
            await super().__call__(scope, receive, send)
        else:
            await lane(scope, receive, send)


def create_app(
    runtime: Runtime, *, logins: FailedLogins | None = None, beyond: ASGIApp | None = None
) -> Service:
    """The application over this runtime; opens nothing by itself.

    `logins` is the process's count of failed ones, if others count too. What is no call of the
    API goes on to `beyond`, within the same limits.
    """
    app = Service(runtime, logins or FailedLogins(runtime))
    app.mount("/docs/assets", documents.assets())
    for router in (
        documents.router,
        health.router,
        metrics.router,
        verify.router,
        published.router,
        users.router,
        personal_access_tokens.router,
        teams.router,
        roles.router,
        settings.router,
        identity_providers.router,
        virtual_accounts.router,
        uses.router,
        rotations.router,
        places.router,
        integrations.router,
        channels.router,
        secret_groups.router,
        secrets.router,
        manifests.router,
        start_up.router,
        device_login.router,
        activity.router,
        token_exchange.router,
        audit.router,
        acknowledge.router,
        leaks.router,
    ):
        app.include_router(router)
    if beyond is not None:
        app.router.default = _unless_a_call(beyond, app.router.default)
    refusals.install(app)
    app.add_middleware(BodyLimit, runtime=runtime)
    app.add_middleware(RequestIds, runtime=runtime)
    return app


def _unless_a_call(beyond: ASGIApp, not_found: ASGIApp) -> ASGIApp:
    """Clients of the API hear in its own words that there is no such call."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        is_call = scope["type"] != "http" or scope["path"].startswith(_CALLS)
        await (not_found if is_call else beyond)(scope, receive, send)

    return serve
