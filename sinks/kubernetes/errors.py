"""The one place where a cluster's answers are read, and what keeps it from answering."""

from collections.abc import Mapping
from typing import Any

import urllib3

from core.errors import DestinationRefused, PlaceRefused, SendFailed, Transient
from sinks.deadline import asked_to_wait

_LATER = {
    429: "The cluster's API is busy.",
    503: "The cluster's API is not available.",
    504: "The cluster's API does not answer in time.",
}
_NOT_KUBERNETES = "The server does not answer as a cluster's API would."
_REDIRECTED = "The server redirects elsewhere, where Keyturn does not take its credentials."
_TOO_LARGE = "Kubernetes does not take a secret of this size: 1 MiB is the most, all keys together."


class Unauthorized(Exception):
    """The cluster does not know this identity (401)."""


class Missing(Exception):
    """Nothing is there (404)."""


class Changed(Exception):
    """It is there already, or was changed since it was read (409)."""


def refused(status: int, headers: Mapping[str, str], said: dict[str, Any]) -> Exception:
    is_status = said.get("kind") == "Status"
    if status == 401:  # noqa: PLR2004 - and so below: the statuses of the API's conventions
        return Unauthorized()
    if status in _LATER or status >= 500:  # noqa: PLR2004
        return Transient(
            _LATER.get(status, f"The cluster's API answers {status}."),
            retry_after=asked_to_wait(headers),
            throttled=status == 429,  # noqa: PLR2004
        )
    if 300 <= status < 400:  # noqa: PLR2004
        return DestinationRefused(_REDIRECTED)
    if status == 413:  # noqa: PLR2004
        return PlaceRefused(_TOO_LARGE)
    if not is_status:
        return DestinationRefused(_NOT_KUBERNETES)
    known = {403: _forbidden(said), 404: Missing(), 409: Changed(), 422: _invalid(said)}
    return known.get(status) or PlaceRefused(f"Kubernetes refuses this secret ({status}).")


def _forbidden(said: dict[str, Any]) -> PlaceRefused:
    if "NamespaceTerminating" in _causes(said):
        return PlaceRefused("The namespace is being deleted.")
    if "exceeded quota" in str(said.get("message")):
        return PlaceRefused("The namespace's resource quota allows no further secret.")
    return PlaceRefused("Kubernetes does not let Keyturn do this to the secret: look at its Role.")


def _invalid(said: dict[str, Any]) -> PlaceRefused:
    if "FieldValueTooLong" in _causes(said) or "Too long" in str(said.get("message")):
        return PlaceRefused(_TOO_LARGE)
    if "immutable" in str(said.get("message")):
        return PlaceRefused("The secret is immutable: delete it, or name another path.")
    return PlaceRefused("Kubernetes refuses this secret as invalid (422).")


def _causes(said: dict[str, Any]) -> set[str]:
    details = said.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    listed = causes if isinstance(causes, list) else []
    return {str(it.get("reason")) for it in listed if isinstance(it, dict)}


def unreached(error: Exception) -> SendFailed:
    said = f"{error} {getattr(error, 'reason', '')}"
    if "VERIFY_FAILED" in said or "Hostname mismatch" in said:
        return DestinationRefused("The cluster's certificate is not trusted: give its ca_bundle.")
    if isinstance(error, urllib3.exceptions.LocationValueError):
        return DestinationRefused("The server is not an address that can be called.")
    if isinstance(error, urllib3.exceptions.TimeoutError | TimeoutError):
        return Transient("The cluster's API does not answer in time.")
    return Transient(f"The cluster's API cannot be reached ({type(error).__name__}).")


def not_kubernetes() -> DestinationRefused:
    return DestinationRefused(_NOT_KUBERNETES)
