"""Google Secret Manager: a secret's newest version is the bare token.

Its annotations hold the mark and the facts, and the number of the version that they are about.
"""

import re
import threading
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, PrivateAttr, StringConstraints, model_validator

from core.errors import PlaceRefused
from core.plugins import Pace, Ports
from sinks.base import MANAGED_BY, Copy, Held, Removal, Sink
from sinks.deadline import Deadline
from sinks.google.grant import KeyGrant
from sinks.google.host import HostGrant
from sinks.google.identity import GoogleService, Identity
from sinks.google.key import PROJECT, KeyFileAuth
from sinks.google.replication import (
    KmsKey,
    LabelKey,
    LabelValue,
    Location,
    check_keys,
    new_secret,
)
from sinks.google.secret import GoogleSecret
from sinks.google.wire import GoogleWire
from sinks.google.writing import MOST_RETIRED, retire_old, write

# Get a token; get the secret; access the newest version, and the one that was spoken of; note;
# add; get and note once more if another came between; access the newest.
_CALLS = 9
_PROBE = "keyturn-check"
_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")
_LONGEST_VALUE = 65_536


class GoogleSecretManagerSink(Sink):
    """Writes tokens into Google Secret Manager, one secret per place."""

    kind: ClassVar[str] = "gcp/gsm"
    provider: ClassVar[str] = "gcp"
    title: ClassVar[str] = "Google Secret Manager"
    # Two writes per second and secret, and a copy takes two of them.
    # docs.cloud.google.com/secret-manager/quotas
    shortest_interval: ClassVar[timedelta] = timedelta(seconds=1)
    # GKE's Secret Manager add-on looks every 2 minutes, if nobody says otherwise.
    # docs.cloud.google.com/secret-manager/docs/secret-manager-managed-csi-component
    usual_refresh: ClassVar[timedelta] = timedelta(minutes=2)
    _google: ClassVar[GoogleService] = GoogleService()

    project_id: str | None = Field(
        default=None, pattern=rf"^{PROJECT}$", description="Left out: the key file's own."
    )
    auth_data: KeyFileAuth | None = Field(
        default=None, description="Left out: the identity of Keyturn's own host."
    )
    root_path: (
        Annotated[
            str,
            StringConstraints(max_length=200, pattern=r"^/?[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*/?$"),
        ]
        | None
    ) = Field(default=None, description="Goes before every secret path.")
    location: Location | None = Field(
        default=None, description="For regional secrets: the one region they are in."
    )
    replication_locations: Annotated[list[Location], Field(min_length=1, max_length=20)] | None = (
        Field(default=None, description="Where new secrets are kept; left out: Google chooses.")
    )
    kms_keys: Annotated[list[KmsKey], Field(max_length=20)] | None = Field(
        default=None, description="What new secrets are encrypted with: a key for each location."
    )
    labels: Annotated[dict[LabelKey, LabelValue], Field(max_length=60)] | None = Field(
        default=None, description="Put on the secrets that Keyturn creates."
    )
    old_versions: Literal["keep", "disable", "destroy"] = Field(
        default="keep", description="What becomes of versions that were replaced."
    )
    versions_kept: int = Field(
        default=2, ge=2, le=1000, description="The newest versions, which always stay."
    )
    timeout: float = Field(default=5.0, ge=0.1, le=60.0, description="Seconds one call may take.")

    _lock: Any = PrivateAttr(default_factory=threading.Lock)
    _identity: Identity | None = PrivateAttr(default=None)
    _wire: GoogleWire | None = PrivateAttr(default=None)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if not self._project:
            raise ValueError("give project_id: there is no key file that names one")
        check_keys(self.location, self.replication_locations, self.kms_keys)
        return self

    @property
    def pace(self) -> Pace:
        """600 writes per minute and project; a copy is two, for a new secret too.

        docs.cloud.google.com/secret-manager/quotas; of 600 reads per minute it takes one, the
        others are accesses, of which 90,000 are allowed.
        """
        retiring = 0 if self.old_versions == "keep" else 1
        calls = _CALLS + retiring * (1 + MOST_RETIRED)
        cost = 2 + retiring
        return Pace(per_second=10, cost=cost, concurrency=8, send_limit=calls * self.timeout)

    def quota_key(self, address: str) -> str | None:
        return self._project

    def place(self, path: str) -> str:
        """`/` stands for the `__` of a secret's name, so that the two spellings are one place."""
        place = self._id(path).replace("__", "/")
        if not all(place.split("/")) or not _ID.fullmatch(self._full_id(place)):
            raise PlaceRefused(
                "a path has letters, digits, - and _ in parts that a slash or __ separates, 255 "
                "characters at most with its root_path"
            )
        return place

    def check(self, ports: Ports) -> str:
        """Reads `keyturn-check`, and writes nothing."""
        self._secret(_PROBE, ports).found()
        return f"Secret Manager answers for the project {self._project}; writing was not tried."

    def put(self, copy: Copy, ports: Ports) -> Held:
        if len(copy.text.get_secret_value().encode()) > _LONGEST_VALUE:
            raise PlaceRefused("Secret Manager takes values of 64 KiB at most.")
        secret = self._secret(copy.path, ports)
        held, is_added = write(secret, copy)
        if is_added and self.old_versions != "keep":
            retire_old(secret, kept=self.versions_kept, destroy=self.old_versions == "destroy")
        return held

    def read(self, path: str, ports: Ports, key: str = "") -> Held | None:
        """Somebody else's value in our secret reads as revision 0. No value is read."""
        secret = self._secret(path, ports)
        found = secret.found()
        if found is None or found.noted is None:
            return None if found is None else Held(None)
        number, is_enabled = secret.newest_number()
        return found.held(number, is_enabled=is_enabled)

    def remove(self, removal: Removal, ports: Ports) -> None:
        """The secret goes with all its versions; Google does not take that back."""
        secret = self._secret(removal.path, ports)
        found = secret.found()
        if found is not None and found.noted and found.noted.place == removal.place:
            secret.delete(found)

    def close(self) -> None:
        with self._lock:
            wire, self._wire, self._identity = self._wire, None, None
        if wire is not None:
            wire.close()

    @property
    def _project(self) -> str:
        return self.project_id or (self.auth_data.key.project_id if self.auth_data else "")

    def _id(self, path: str) -> str:
        return path.strip("/").replace("/", "__")

    def _full_id(self, path: str) -> str:
        return f"{self._id(self.root_path)}__{self._id(path)}" if self.root_path else self._id(path)

    def _secret(self, path: str, ports: Ports) -> GoogleSecret:
        wire, identity = self._connected(ports)
        below = f"/locations/{self.location}" if self.location else ""
        labels = {**(self.labels or {}), "managed-by": MANAGED_BY}
        return GoogleSecret(
            wire,
            identity,
            ports,
            Deadline(ports.clock, limit=self.pace.send_limit, call=self.timeout),
            f"projects/{self._project}{below}",
            self._full_id(path),
            new_secret(self.location, self.replication_locations, self.kms_keys, labels),
        )

    def _connected(self, ports: Ports) -> tuple[GoogleWire, Identity]:
        with self._lock:
            google = self._google
            if self._wire is None:
                host = google.regional.format(self.location) if self.location else google.api
                self._wire = GoogleWire(ports.dialer, host)
            if self._identity is None:
                auth = self.auth_data
                grant = KeyGrant(auth.key, google.tokens) if auth else HostGrant(google.metadata)
                self._identity = Identity(grant)
            return self._wire, self._identity
