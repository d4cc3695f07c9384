"""One secret of Secret Manager, as one send sees it."""

import re
from collections.abc import Mapping
from typing import Any

import google_crc32c
from google.cloud.secretmanager_v1 import types
from pydantic import SecretStr

from core.errors import DestinationRefused, KeyturnError, Transient
from core.plugins import Ports
from sinks.deadline import Deadline
from sinks.google.errors import CONFLICTS, MISSING, NOT_READABLE, Refused, not_google
from sinks.google.found import OURS, VERSION, Found, Newest
from sinks.google.identity import Identity
from sinks.google.wire import GoogleCalls, GoogleWire

_NUMBERED = re.compile(r"projects/.+/secrets/[A-Za-z0-9_-]+/versions/([0-9]{1,15})")
_PAGE = 1000


class GoogleSecret(GoogleCalls):
    """The calls one send makes about one secret."""

    def __init__(
        self,
        wire: GoogleWire,
        identity: Identity,
        ports: Ports,
        deadline: Deadline,
        parent: str,
        secret_id: str,
        new: types.Secret,
    ) -> None:
        super().__init__(wire, identity, ports, deadline)
        self._parent = parent
        self._id = secret_id
        self._new = new
        self._name = f"{parent}/secrets/{secret_id}"

    def found(self) -> Found | None:
        """Reads the secret without a value; None if there is none."""
        answer = self._tried("get_secret", types.GetSecretRequest(name=self._name))
        return None if answer is None else self._found(answer)

    def create(self, bearings: Mapping[str, str]) -> Found:
        """Makes the secret, without a version. Its first one will bear what is said of it."""
        secret = types.Secret(self._new)
        secret.annotations = {**bearings, VERSION: "1"}
        request = types.CreateSecretRequest(parent=self._parent, secret_id=self._id, secret=secret)
        return self._found(self.do("create_secret", request))

    def note(self, found: Found, bearings: Mapping[str, str], version: int) -> Found:
        """Says what a version bears, or is about to; Transient if somebody else was faster."""
        others = {k: v for k, v in found.annotations.items() if k not in OURS}
        secret = types.Secret(
            name=self._name,
            etag=found.etag,
            annotations={**others, **bearings, VERSION: str(version)},
        )
        request = types.UpdateSecretRequest(secret=secret, update_mask={"paths": ["annotations"]})
        return self._found(self._bound("update_secret", request))

    def add(self, value: SecretStr) -> int:
        """Adds a version with this value and answers its number."""
        data = value.get_secret_value().encode()
        payload = types.SecretPayload(data=data, data_crc32c=google_crc32c.value(data))
        request = types.AddSecretVersionRequest(parent=self._name, payload=payload)
        return _number(self.do("add_secret_version", request))

    def newest(self) -> Newest:
        """The version that was made last, with its value."""
        failure: KeyturnError
        try:
            return self._accessed("latest")
        except Refused as refused:
            if refused.code == MISSING:
                return Newest()
            failure = refused.meaning
            if refused.code == NOT_READABLE:
                return Newest(self.newest_number()[0])
        raise failure

    def value(self, version: int) -> SecretStr | None:
        """The value of this version; None if there is none. By number, Google is never behind."""
        failure: KeyturnError
        try:
            return self._accessed(str(version)).value
        except Refused as refused:
            if refused.code in {MISSING, NOT_READABLE}:
                return None
            failure = refused.meaning
        raise failure

    def newest_number(self) -> tuple[int, bool]:
        """The number of the newest version, and whether it may be read. 0 if there is none."""
        name = f"{self._name}/versions/latest"
        answer = self._tried("get_secret_version", types.GetSecretVersionRequest(name=name))
        return (0, False) if answer is None else (_number(answer), _is_enabled(answer))

    def old_versions(self, *, also_disabled: bool) -> list[int]:
        """Versions that may be read, or at least enabled again; the newest first."""
        wanted = "NOT state:DESTROYED" if also_disabled else "state:ENABLED"
        request = types.ListSecretVersionsRequest(parent=self._name, page_size=_PAGE, filter=wanted)
        answer = self.do("list_secret_versions", request)
        known = [it for it in answer.versions if _is_enabled(it) or (also_disabled and _stays(it))]
        return sorted(map(_number, known), reverse=True)

    def retire(self, version: int, *, destroy: bool) -> None:
        """Disables or destroys a version."""
        name = f"{self._name}/versions/{version}"
        if destroy:
            self.do("destroy_secret_version", types.DestroySecretVersionRequest(name=name))
        else:
            self.do("disable_secret_version", types.DisableSecretVersionRequest(name=name))

    def delete(self, found: Found) -> None:
        """Removes the secret with all its versions, unless it was changed since."""
        request = types.DeleteSecretRequest(name=self._name, etag=found.etag)
        self._bound("delete_secret", request)

    def _accessed(self, version: str) -> Newest:
        name = f"{self._name}/versions/{version}"
        answer = self.call("access_secret_version", types.AccessSecretVersionRequest(name=name))
        data: bytes = answer.payload.data
        if "data_crc32c" in answer.payload and answer.payload.data_crc32c != google_crc32c.value(
            data
        ):
            raise Transient("The value was damaged on its way from Google.")
        return Newest(_number(answer), SecretStr(data.decode("utf-8", "replace")))

    def _tried(self, operation: str, request: Any) -> Any:
        """None if there is no such thing."""
        failure: KeyturnError
        try:
            return self.call(operation, request)
        except Refused as refused:
            failure = refused.meaning
            if refused.code == MISSING and not isinstance(failure, DestinationRefused):
                return None
        raise failure

    def _bound(self, operation: str, request: Any) -> Any:
        """Calls with an etag, which may be of another time by now."""
        failure: KeyturnError
        try:
            return self.call(operation, request)
        except Refused as refused:
            failure = refused.meaning
            if refused.code in CONFLICTS and not isinstance(failure, DestinationRefused):
                failure = Transient("The secret was changed at the same moment.")
        raise failure

    def _found(self, secret: Any) -> Found:
        if not secret.name.endswith(f"/secrets/{self._id}"):
            raise not_google()
        return Found(annotations=dict(secret.annotations), etag=secret.etag)


def _number(answer: Any) -> int:
    """Which version an answer is about."""
    named = _NUMBERED.fullmatch(answer.name)
    if named is None:
        raise not_google()
    return int(named[1])


def _stays(version: Any) -> bool:
    """Whether it is disabled, and nothing more."""
    is_disabled = version.state == types.SecretVersion.State.DISABLED
    return bool(is_disabled and "scheduled_destroy_time" not in version)


def _is_enabled(version: Any) -> bool:
    return bool(version.state == types.SecretVersion.State.ENABLED)
