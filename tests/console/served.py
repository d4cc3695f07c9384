"""The console and the API on one port, as `keyturn up` and `keyturn api` compose them."""

from collections.abc import Sequence

from api.app import Service, create_app
from console.app import Console, create_console
from console.single_sign_on import Provider
from services.runtime import Runtime
from services.verify.failed_logins import FailedLogins


def composed(runtime: Runtime, providers: Sequence[Provider] = ()) -> tuple[Service, Console]:
    """The application that is served, and the console in it."""
    logins = FailedLogins(runtime)
    console = create_console(runtime, logins, providers)
    return create_app(runtime, logins=logins, beyond=console), console
