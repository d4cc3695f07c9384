"""The HTTP service: translate, call one use case, translate back."""

from starlette.types import Receive, Scope, Send

from api import (
    acknowledge,
    audit,
    channels,
    device_login,
    documents,
    health,
    identity_providers,
    integrations,
    manifests,
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
from api.failed_logins import FailedLogins
from api.fast_lane import FastLane
from api.limits import BodyLimit
from api.request_ids import RequestIds
from services.runtime import Runtime
from services.verifier import Verifier


class Service(documents.Documented):
    """The application behind the fast lane; whoever serves it starts `verifier.listener`."""

    def __init__(self, runtime: Runtime) -> None:
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
        self.state.failed_logins = FailedLogins(runtime)
        self._lane = FastLane(runtime, self.verifier, self.state.failed_logins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        lane = self._lane.of(scope)
        if lane is None:
            await super().__call__(scope, receive, send)
        else:
            await lane(scope, receive, send)


def create_app(runtime: Runtime) -> Service:
    """The application over this runtime; opens nothing by itself."""
    app = Service(runtime)
    app.mount("/docs/assets", documents.assets())
    for router in (
        documents.router,
        health.router,
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
        token_exchange.router,
        audit.router,
        acknowledge.router,
    ):
        app.include_router(router)
    refusals.install(app)
    app.add_middleware(BodyLimit, runtime=runtime)
    app.add_middleware(RequestIds, runtime=runtime)
    return app
