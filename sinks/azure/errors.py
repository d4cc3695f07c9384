"""The one place where the errors of Azure's clients are read: by Key Vault's own code."""

import copy
import json
import re
from collections.abc import Iterator
from typing import Any

from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    IncompleteReadError,
    ServiceRequestError,
    ServiceRequestTimeoutError,
    ServiceResponseError,
    ServiceResponseTimeoutError,
)

from core.errors import DestinationRefused, KeyturnError, PlaceRefused, Transient
from sinks.deadline import asked_to_wait

MISSING = "SecretNotFound"
DELETED = "ObjectIsDeletedButRecoverable"
# What the clients raise over an answer that is not Azure's.
_GARBLED = (AttributeError, LookupError, TypeError, ValueError)
UNANSWERED = (AzureError, KeyturnError, OSError, *_GARBLED)
_SLOW = (ServiceRequestTimeoutError, ServiceResponseTimeoutError)
_BROKEN = (ServiceRequestError, ServiceResponseError, IncompleteReadError)
_AADSTS = re.compile(r"AADSTS[0-9]{4,9}")
_NOT_AZURE = "What answers in the vault's name does not answer as Key Vault would."
_NOT_TAKEN = "Key Vault does not take this identity: is the vault in the Entra tenant of tenant_id?"
_LATER = {
    408: "Key Vault does not answer in time.",
    409: "The secret is being deleted, recovered or written at this moment.",
}
_DESTINATION = {
    "ForbiddenByConnection": "The vault's network rules do not let Keyturn's connection in.",
    "ForbiddenByFirewall": "The vault's firewall does not let Keyturn's address in.",
}
_PLACE = {
    "BadParameter": "Key Vault does not take a name or a value like this.",
    "SecretDisabled": "The secret's current version is disabled: enable it, or move it away.",
}
_GONE = "Key Vault does not show the secret, which was there a moment ago."


class Refused(Exception):
    """Key Vault answered a call with an error: its `code`, and what that means for a send."""

    def __init__(self, code: str, meaning: KeyturnError) -> None:
        super().__init__(code)
        self.code = code
        self.meaning = meaning


def understood(called: str, error: Exception) -> Exception:
    """Refused where Key Vault answered, otherwise what it means that nobody did.

    `called` says what was tried, as in "read".
    """
    response: Any = error.response if isinstance(error, HttpResponseError) else None
    if response is None:
        return unanswered(error)
    code, status = _code(response), response.status_code
    asked = asked_to_wait(response.headers)
    if status == 429:  # noqa: PLR2004 - too many requests
        throttled = "Key Vault throttles these calls."
        return Refused(code, Transient(throttled, retry_after=asked, throttled=True))
    if code == MISSING:
        return Refused(code, Transient(_GONE))
    if status in _LATER or status >= 500:  # noqa: PLR2004 - the service's own failures
        said = _LATER.get(status, f"Key Vault answers {status}.")
        return Refused(code, Transient(said, retry_after=asked))
    return Refused(code, _refusal(called, code, status))


def _refusal(called: str, code: str, status: int) -> KeyturnError:
    if code in _DESTINATION:
        return DestinationRefused(_DESTINATION[code])
    if status == 401:  # noqa: PLR2004 - unauthenticated
        return DestinationRefused(_NOT_TAKEN)
    if not code or status < 400:  # noqa: PLR2004 - no error at all
        return DestinationRefused(_NOT_AZURE)
    said = f"Key Vault does not let Keyturn {called} here ({status})."
    if status == 403:  # noqa: PLR2004 - forbidden
        said = f"Azure's roles do not let Keyturn {called} here."
    return PlaceRefused(_PLACE.get(code, said))


def _code(response: Any) -> str:
    """The innermost code of an error's body. What answers may be anybody: it is never quoted."""
    try:
        said = json.loads(response.text())
    except (ValueError, RecursionError):
        return ""
    found, code = said.get("error") if isinstance(said, dict) else None, ""
    for _ in range(5):
        if not isinstance(found, dict):
            break
        told = found.get("code")
        code = told if isinstance(told, str) else code
        found = found.get("innererror")
    return code


def unanswered(error: BaseException) -> KeyturnError:
    """What it means that a call got no answer, or the identity no token."""
    for inner in _chain(error):
        if isinstance(inner, KeyturnError):
            return copy.copy(inner)  # without the chain that it came by
        if isinstance(inner, _BROKEN):
            return _unreached(inner)
    if isinstance(error, ClientAuthenticationError):
        said = _AADSTS.search(" ".join(map(str, _chain(error))))
        why = f" ({said[0]})" if said else ""
        return DestinationRefused(f"Microsoft Entra gives this identity no token{why}.")
    if isinstance(error, OSError):
        return DestinationRefused("The identity of Keyturn's own host cannot be read.")
    return DestinationRefused(_NOT_AZURE)


def _unreached(error: BaseException) -> KeyturnError:
    if isinstance(error, _SLOW):
        return Transient("Azure does not answer in time.")
    if "VERIFY_FAILED" in str(error):
        return DestinationRefused("Azure's certificate is not trusted: give its ca_bundle.")
    return Transient(f"Azure cannot be reached ({type(error).__name__}).")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
