"""The count of failed logins that the calls of one process share."""

from typing import cast

from fastapi import Request

from services.verify.failed_logins import FailedLogins


def failed_logins_of(request: Request) -> FailedLogins:
    """The application's count."""
    return cast("FailedLogins", request.app.state.failed_logins)
