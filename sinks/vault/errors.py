"""The one place where the errors of Vault, and of requests below hvac, are read."""

from http import HTTPStatus
from typing import Any

import requests

from core.errors import DestinationRefused, PlaceRefused, Transient
from sinks.deadline import asked_to_wait

_LATER = {
    412: "Vault has not caught up with an earlier write yet.",
    429: "Vault's rate limit is used up.",
    472: "This Vault is a secondary for disaster recovery.",
    473: "This Vault is a performance standby.",
    503: "Vault is sealed, or not available.",
}
_REDIRECTED = (
    "vault_url redirects elsewhere, where Keyturn does not take its token: "
    "give the address of the active node or of the load balancer."
)
_ODD = {
    401: "Something in front of Vault wants a login of its own.",
    404: "There is no KV v2 engine of this name: check vault_url, namespace and kv_mount_path.",
    405: "The engine at kv_mount_path is not KV v2.",
}


class Denied(Exception):
    """Vault answered 403: either the token is not valid, or it may not do this."""


def refused(response: requests.Response) -> Exception:
    status = response.status_code
    if status == HTTPStatus.FORBIDDEN:
        return Denied()
    if status == HTTPStatus.BAD_REQUEST:
        return _bad_request(response)
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return PlaceRefused("Vault does not take a value of this size.")
    if status in _LATER or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Transient(
            _LATER.get(status, f"Vault answers {status}."),
            retry_after=asked_to_wait(response.headers),
            throttled=status == HTTPStatus.TOO_MANY_REQUESTS,
        )
    if response.is_redirect:
        return DestinationRefused(_REDIRECTED)
    return DestinationRefused(_ODD.get(status, f"Not as Vault would, vault_url answers {status}."))


def _bad_request(response: requests.Response) -> Exception:
    errors = json_of(response).get("errors") or []
    if any("check-and-set" in str(error) for error in errors):
        return Transient("The secret was changed at the same moment.")
    return PlaceRefused("Vault refuses this request as malformed (400).")


def unreached(error: OSError) -> Exception:
    name = type(error).__name__
    if isinstance(error, requests.Timeout):
        return Transient("Vault does not answer in time.")
    if isinstance(error, requests.exceptions.SSLError) and "VERIFY_FAILED" in str(error):
        return DestinationRefused("Vault's certificate is not trusted: give its CA as ca_bundle.")
    if isinstance(error, requests.exceptions.InvalidURL | requests.exceptions.InvalidSchema):
        return DestinationRefused("vault_url is not an address that can be called.")
    return Transient(f"Vault cannot be reached ({name}).")


def json_of(response: requests.Response) -> dict[str, Any]:
    """The body if it is a JSON object, else an empty one."""
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
