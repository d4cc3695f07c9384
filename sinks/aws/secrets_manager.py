"""AWS Secrets Manager: a secret's value is the bare token, or one key of it is a place of its own.

A version's id is made of its place, epoch and revision, so a repeat is no new version; tags
say whose the secret is. The store has no check-and-set: after each write the labels are read
back, and the newest revision of the place is made current if another write came between.
"""

import re
from datetime import timedelta
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field, StringConstraints

from core.errors import PlaceRefused, Transient
from core.plugins import Pace, Ports
from sinks.aws.document import AwsDocument
from sinks.aws.entries import check_key, put_entry, read_entry, remove_entry
from sinks.aws.sink import AwsSink
from sinks.base import Copy, Held, Removal
from sinks.entries import keys_refused

# Assume a role; describe, restore, claim, put, describe, promote, describe. For one key: describe,
# read, claim, put, say, describe; what follows another's write is done while there is time left.
_CALLS = 8
_PROBE = "keyturn-check"
_NAME = re.compile(r"[A-Za-z0-9/_+=.@-]{1,512}")


def _window(days: int) -> int:
    if 0 < days < 7:  # noqa: PLR2004 - AWS's smallest window
        raise ValueError("AWS keeps a deleted secret for 7 to 30 days; 0 deletes it at once")
    return days


class SecretsManagerSink(AwsSink):
    """Writes tokens into AWS Secrets Manager, one secret per place."""

    kind: ClassVar[str] = "aws/secrets-manager"
    title: ClassVar[str] = "AWS Secrets Manager"
    # A version every 10 minutes at the most, sustained: AWS removes old ones no faster than that.
    # docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
    shortest_interval: ClassVar[timedelta] = timedelta(minutes=10)
    # AWS's caching clients keep a secret for an hour, if nobody says otherwise.
    # docs.aws.amazon.com/secretsmanager/latest/userguide/
    # retrieving-secrets_cache-java-ref_SecretCacheConfiguration.html
    usual_refresh: ClassVar[timedelta] = timedelta(hours=1)

    root_path: Annotated[str, StringConstraints(pattern=rf"^{_NAME.pattern}$")] | None = Field(
        default=None, description="Goes before every secret path."
    )
    recovery_window_days: Annotated[int, Field(ge=0, le=30), AfterValidator(_window)] = Field(
        default=7, description="How long a removed secret can be restored; 0: not at all."
    )

    @property
    def pace(self) -> Pace:
        """50 writes of values per second and account and region.

        docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html; reading has
        a quota of its own, so that a send costs one.
        """
        return Pace(per_second=50, cost=1, concurrency=16, send_limit=_CALLS * self.timeout)

    def place(self, path: str) -> str:
        """A name as it is: AWS tells /a from a. Below a root_path the two are one."""
        place = path.lstrip("/") if self.root_path else path
        if not place or not _NAME.fullmatch(self._name(place)):
            raise PlaceRefused(
                "a secret's name has 1 to 512 letters, digits and /_+=.@-, with its root_path"
            )
        return place

    def key(self, given: str | None) -> str:
        return check_key(given)

    def check(self, ports: Ports) -> str:
        secret = self._secret(_PROBE, ports)
        owner = self._owner(secret)
        secret.describe()
        return f"Secrets Manager answers in {self.region}; {owner}"

    def put(self, copy: Copy, ports: Ports) -> Held:
        secret = self._secret(copy.path, ports)
        if copy.key:
            return put_entry(secret, copy, self.tags or {}, self.kms_arn)
        found = secret.describe()
        if found is not None and found.is_of_keys:
            raise keys_refused(copy.where)
        if found is None:
            secret.create(copy, self.tags or {}, self.kms_arn)
            return _confirm(secret, copy)
        if not copy.may_follow(found.mark):
            return found.held
        if found.is_scheduled:
            secret.restore()
        elif found.mark == copy.mark:
            return found.held
        if found.place != copy.mark.place:
            secret.claim(copy)
        if found.mark != copy.mark:
            secret.put(copy)
        return _confirm(secret, copy)

    def read(self, path: str, ports: Ports, key: str = "") -> Held | None:
        """Somebody else's value in our secret reads as revision 0."""
        secret = self._secret(path, ports)
        if key:
            return read_entry(secret, key)
        found = secret.describe()
        return None if found is None or found.is_scheduled else found.held

    def remove(self, removal: Removal, ports: Ports) -> None:
        secret = self._secret(removal.path, ports)
        if removal.key:
            remove_entry(secret, removal)
            return
        found = secret.describe()
        if found is not None and not found.is_scheduled and found.place == removal.place:
            secret.delete(self.recovery_window_days)

    def _name(self, path: str) -> str:
        return f"{self.root_path.rstrip('/')}/{path}" if self.root_path else path

    def _secret(self, path: str, ports: Ports) -> AwsDocument:
        return AwsDocument(self._identified(), ports, self._deadline(ports), self._name(path))


def _confirm(secret: AwsDocument, copy: Copy) -> Held:
    """What is current now; if that is not the newest of the place, it is made so first."""
    found = secret.describe()
    if found and (newest := found.newest) and newest >= copy.mark and newest != found.mark:
        secret.promote(newest, instead_of=found.current)
        found = secret.describe()
    mark = found.mark if found else None
    if not found or found.is_scheduled or not mark or mark.place != copy.mark.place:
        raise Transient("The secret was claimed or removed at the same moment.")
    if mark < copy.mark:
        raise Transient("The secret was written at the same moment.")
    return found.held
