"""The console and the API on one port, as `keyturn up` and `keyturn api` compose them."""

from api.app import Service, create_app
from console.app import Console, create_console
from services.runtime import Runtime
from services.verify.failed_logins import FailedLogins


def composed(runtime: Runtime) -> tuple[Service, Console]:
    """The application that is served, and the console in it."""
    logins = FailedLogins(runtime)
    console = create_console(runtime, logins)
    return create_app(runtime, logins=logins, beyond=console), console
