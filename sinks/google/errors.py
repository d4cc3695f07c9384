"""The one place where Google's errors are read: by canonical code, and by the reason beside it."""

import re

import requests

from core.errors import DestinationRefused, KeyturnError, PlaceRefused, SendFailed, Transient
from sinks.google.answers import ErrorAnswer

MISSING = "NOT_FOUND"
TAKEN = "ALREADY_EXISTS"
CONFLICTS = {"FAILED_PRECONDITION", "ABORTED"}  # how an etag of another time is refused
NOT_READABLE = "FAILED_PRECONDITION"  # a version that is disabled or destroyed
_LATER = {
    "ABORTED": "The secret was changed at the same moment.",
    TAKEN: "The secret's name was taken at the same moment.",
    "CANCELLED": "Google broke off the call.",
    "DEADLINE_EXCEEDED": "Google does not answer in time.",
    "INTERNAL": "Secret Manager failed.",
    "UNAVAILABLE": "Secret Manager is not available.",
}
_DISABLED = "The Secret Manager API is not enabled in this project: enable it there."
_NO_PROJECT = "There is no such project, or this identity may not use it."
_REASONS = {
    "SERVICE_DISABLED": _DISABLED,
    "SERVICE_NOT_ACTIVATED": _DISABLED,
    "BILLING_DISABLED": "Billing is off for this project.",
    "CONSUMER_INVALID": _NO_PROJECT,
    "CONSUMER_SUSPENDED": "This project is suspended.",
    "USER_PROJECT_DENIED": _NO_PROJECT,
    "ACCESS_TOKEN_SCOPE_INSUFFICIENT": "This identity's tokens lack the scope cloud-platform.",
    "SECURITY_POLICY_VIOLATED": "A service perimeter of the organisation keeps Keyturn out.",
}
_NO_KMS = "Google cannot use the KMS key: enable it, and let Secret Manager's service agent use it."
_NOT_GOOGLE = "What answers is not Secret Manager."
_PERMISSION = re.compile(r"[a-z]{1,40}(\.[A-Za-z]{1,40}){1,3}")


class Refused(Exception):
    """Google answered a call with an error: its `code`, and what that means for a send."""

    def __init__(self, code: str, meaning: KeyturnError) -> None:
        super().__init__(code)
        self.code = code
        self.meaning = meaning


def refused(answer: requests.Response) -> Refused:
    """Reads an answer that is no success; quotes nothing of it."""
    told = ErrorAnswer(answer)
    code, asked = told.code, told.asked
    if code == "RESOURCE_EXHAUSTED":
        said = "The project's quota of calls is used up."
        return Refused(code, Transient(said, retry_after=asked, throttled=True))
    if code in _LATER or answer.status_code >= 500:  # noqa: PLR2004 - Google's own trouble
        said = _LATER.get(code, "Secret Manager failed.")
        return Refused(code, Transient(said, retry_after=asked))
    if not told.is_google:
        return Refused("", not_google())
    return Refused(code, _meaning(told))


def _meaning(told: ErrorAnswer) -> KeyturnError:
    code, message = told.code, told.message
    if code == "UNAUTHENTICATED":
        return DestinationRefused("Google does not take these credentials.")
    if "cryptoKeys/" in message or told.permission.startswith("cloudkms."):
        return DestinationRefused(_NO_KMS)
    if code == MISSING:
        if "/secrets/" in message:
            return Transient("The secret went away at the same moment.")
        return DestinationRefused(_NO_PROJECT)
    if code == "PERMISSION_DENIED":
        return _denied(told.reason, told.permission)
    is_policy = "constraints/" in message
    why = "the organisation's policy does not allow it" if is_policy else _plain(code)
    return PlaceRefused(f"Secret Manager refuses this place ({why}).")


def _denied(reason: str, permission: str) -> KeyturnError:
    if reason in _REASONS:
        return DestinationRefused(_REASONS[reason])
    what = permission if _PERMISSION.fullmatch(permission) else "this"
    return PlaceRefused(f"Google's IAM does not let this identity do {what} here.")


def _plain(code: str) -> str:
    return code if re.fullmatch(r"[A-Z_]{1,40}", code) else "an unknown error"


def not_google() -> DestinationRefused:
    return DestinationRefused(_NOT_GOOGLE)


def unreached(error: OSError) -> SendFailed:
    """What it means that nothing answered."""
    if isinstance(error, requests.Timeout):
        return Transient("Google does not answer in time.")
    if isinstance(error, requests.exceptions.SSLError) and "VERIFY_FAILED" in str(error):
        return DestinationRefused("The certificate of what answers is not one of Google's.")
    return Transient(f"Google cannot be reached ({type(error).__name__}).")
