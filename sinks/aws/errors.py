"""The one place where botocore's errors are read: by AWS's code, since statuses differ."""

from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    HTTPClientError,
    IncompleteReadError,
    MetadataRetrievalError,
    ParamValidationError,
    ReadTimeoutError,
    SSLError,
)
from botocore.exceptions import ConnectionError as Unreached
from botocore.parsers import ResponseParserError

from core.errors import DestinationRefused, KeyturnError, PlaceRefused, Transient
from sinks.deadline import asked_to_wait

_THROTTLED = {
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "SlowDown",
    "TooManyUpdates",
}
_LATER = {
    "InternalError",
    "InternalFailure",
    "InternalServiceError",
    "InternalServiceErrorException",
    "RequestTimeout",
    "ServiceUnavailable",
    "ServiceUnavailableException",
}
EXPIRED = {"ExpiredToken", "ExpiredTokenException"}
_CREDENTIALS = EXPIRED | {
    "AuthFailure",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "OptInRequired",
    "RequestExpired",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"}
_DESTINATION = {
    **dict.fromkeys(_CREDENTIALS, "AWS does not take these credentials."),
    **dict.fromkeys(
        ("DecryptionFailure", "EncryptionFailure", "InvalidKeyId"), "AWS cannot use the KMS key."
    ),
}
_BROKEN = (
    Unreached,
    HTTPClientError,
    IncompleteReadError,
    CredentialRetrievalError,
    MetadataRetrievalError,
)
# What botocore's parsers raise over an answer that is not AWS's.
_GARBLED = (ResponseParserError, AttributeError, LookupError, TypeError, ValueError)
MISSING = "ResourceNotFoundException"
UNANSWERED = (BotoCoreError, *_GARBLED)
_NOT_AWS = "The endpoint does not answer as AWS would."


class Refused(Exception):
    """AWS answered a call with an error: its `code`, and what that means for a send."""

    def __init__(self, code: str, meaning: KeyturnError) -> None:
        super().__init__(code)
        self.code = code
        self.meaning = meaning


def refused(operation: str, error: ClientError) -> Refused:
    answer: dict[str, Any] = dict(error.response)
    code = str(answer.get("Error", {}).get("Code", ""))
    called = operation.title().replace("_", "")
    return Refused(code, _meaning(called, code, answer.get("ResponseMetadata", {})))


def _meaning(called: str, code: str, about: dict[str, Any]) -> KeyturnError:
    asked = asked_to_wait(about.get("HTTPHeaders") or {})
    status = about.get("HTTPStatusCode", 0)
    if code in _THROTTLED or status == 429:  # noqa: PLR2004 - a proxy's, without a code
        return Transient("AWS throttles these calls.", retry_after=asked, throttled=True)
    if code in _LATER or code == MISSING or status >= 500:  # noqa: PLR2004 - the same
        return Transient(f"AWS failed at {called}.", retry_after=asked)
    if code in _DESTINATION or code.isdigit():  # botocore numbers an answer without a code
        return DestinationRefused(_DESTINATION.get(code, _NOT_AWS))
    if code in _DENIED:
        return PlaceRefused(f"AWS's policies do not let Keyturn call {called} here.")
    return PlaceRefused(f"AWS refuses {called} here ({_plain(code)}).")


def _plain(code: str) -> str:
    """The code, if it is one: what answers may be anybody."""
    is_code = code.isascii() and code.isalpha() and len(code) <= 60  # noqa: PLR2004
    return code if is_code and code.endswith(("Exception", "Error")) else "an unknown error"


def unanswered(error: Exception) -> KeyturnError:
    """What it means that AWS did not answer."""
    inner = error.kwargs.get("error") if isinstance(error, BotoCoreError) else None
    if isinstance(inner, DestinationRefused):
        return DestinationRefused(str(inner))  # as the dialer said
    return _unanswered(error, type(error).__name__)


def _unanswered(error: Exception, kind: str) -> KeyturnError:
    if isinstance(error, ConnectTimeoutError | ReadTimeoutError):
        return Transient("AWS does not answer in time.")
    if isinstance(error, SSLError) and "VERIFY_FAILED" in str(error):
        return DestinationRefused("The endpoint's certificate is not trusted: give its ca_bundle.")
    if isinstance(error, _BROKEN):
        return Transient(f"AWS cannot be reached ({kind}).")
    if isinstance(error, ParamValidationError):
        return PlaceRefused("AWS does not take a name or a value like this.")
    if isinstance(error, _GARBLED):
        return DestinationRefused(_NOT_AWS)
    return DestinationRefused(f"AWS's client library finds no way to sign or send this ({kind}).")
