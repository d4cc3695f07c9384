"""AWS Secrets Manager: a secret's value is the bare token.

A version's id is made of its place, epoch and revision, so a repeat is no new version; tags
say whose the secret is. The store has no check-and-set: after each write the labels are read
back, and the newest revision of the place is made current if another write came between.
"""

import re
import threading
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, Field, PrivateAttr, StringConstraints

from core.errors import DestinationRefused, PlaceRefused, Transient
from core.plugins import Pace, Ports
from sinks.aws_identity import AccessKeyAuth, AssumedRoleAuth, Identity
from sinks.aws_secret import AwsSecret
from sinks.base import Copy, Held, Removal, Sink
from sinks.deadline import Deadline
from sinks.endpoint import Address, CaBundle

# Assume a role; describe, restore, claim, put, describe, promote, describe.
_CALLS = 8
_PROBE = "keyturn-check"
_NAME = re.compile(r"[A-Za-z0-9/_+=.@-]{1,512}")


def _free(key: str) -> str:
    if key in {"managed-by", "place", "account"} or key.lower().startswith("aws:"):
        raise ValueError("managed-by, place and account are Keyturn's tags, aws:... are AWS's")
    return key


def _window(days: int) -> int:
    if 0 < days < 7:  # noqa: PLR2004 - AWS's smallest window
        raise ValueError("AWS keeps a deleted secret for 7 to 30 days; 0 deletes it at once")
    return days


TagKey = Annotated[str, StringConstraints(min_length=1, max_length=128), AfterValidator(_free)]
TagValue = Annotated[str, Field(max_length=256, coerce_numbers_to_str=True)]


class SecretsManagerSink(Sink):
    """Writes tokens into AWS Secrets Manager, one secret per place."""

    kind: ClassVar[str] = "aws/secrets-manager"
    provider: ClassVar[str] = "aws"
    title: ClassVar[str] = "AWS Secrets Manager"

    region: str = Field(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$", description="As in eu-central-1.")
    auth_data: Annotated[AccessKeyAuth | AssumedRoleAuth, Field(discriminator="type")] | None = (
        Field(default=None, description="Left out: the identity of Keyturn's own host.")
    )
    aws_account_id: str | None = Field(
        default=None, pattern=r"^[0-9]{12}$", description="The account that the secrets belong to."
    )
    kms_arn: str | None = Field(
        default=None,
        max_length=400,
        pattern=r"^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:(key|alias)/[A-Za-z0-9_/-]+$",
        description="The KMS key that new secrets are encrypted with; left out: AWS's own.",
    )
    tags: dict[TagKey, TagValue] | None = Field(
        default=None, max_length=40, description="Put on the secrets that Keyturn creates."
    )
    root_path: Annotated[str, StringConstraints(pattern=rf"^{_NAME.pattern}$")] | None = Field(
        default=None, description="Goes before every secret path."
    )
    recovery_window_days: Annotated[int, Field(ge=0, le=30), AfterValidator(_window)] = Field(
        default=7, description="How long a removed secret can be restored; 0: not at all."
    )
    endpoint_url: Address | None = Field(
        default=None, description="A VPC endpoint or an emulator; left out: the region's own."
    )
    ca_bundle: CaBundle | None = Field(
        default=None, repr=False, description="PEM text of the authorities that sign its TLS."
    )
    timeout: float = Field(default=5.0, ge=0.1, le=60.0, description="Seconds one call may take.")

    _lock: Any = PrivateAttr(default_factory=threading.Lock)
    _identity: Identity | None = PrivateAttr(default=None)

    @property
    def pace(self) -> Pace:
        """50 writes of values per second and account and region.

        docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html; reading has
        a quota of its own, so that a send costs one.
        """
        return Pace(per_second=50, cost=1, concurrency=16, send_limit=_CALLS * self.timeout)

    def quota_key(self, address: str) -> str | None:
        account = self.aws_account_id
        if account is None and isinstance(self.auth_data, AssumedRoleAuth):
            account = self.auth_data.account_id
        if account is None and isinstance(self.auth_data, AccessKeyAuth):
            account = self.auth_data.access_key_id
        return f"{account or 'ambient'}:{self.region}"

    def place(self, path: str) -> str:
        """A name as it is: AWS tells /a from a. Below a root_path the two are one."""
        place = path.lstrip("/") if self.root_path else path
        if not place or not _NAME.fullmatch(self._name(place)):
            raise PlaceRefused(
                "a secret's name has 1 to 512 letters, digits and /_+=.@-, with its root_path"
            )
        return place

    def check(self, ports: Ports) -> str:
        secret = self._secret(_PROBE, ports)
        account = secret.account()
        if self.aws_account_id not in {None, account}:
            raise DestinationRefused(
                f"These credentials belong to the AWS account {account}, not to "
                f"{self.aws_account_id}, which the integration names."
            )
        secret.describe()
        named = " as the integration says" if self.aws_account_id else ""
        return f"Secrets Manager answers in {self.region}; the AWS account is {account}{named}."

    def put(self, copy: Copy, ports: Ports) -> Held:
        secret = self._secret(copy.path, ports)
        found = secret.describe()
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

    def read(self, path: str, ports: Ports) -> Held | None:
        """Somebody else's value in our secret reads as revision 0."""
        found = self._secret(path, ports).describe()
        return None if found is None or found.is_scheduled else found.held

    def remove(self, removal: Removal, ports: Ports) -> None:
        secret = self._secret(removal.path, ports)
        found = secret.describe()
        if found is not None and not found.is_scheduled and found.place == removal.place:
            secret.delete(self.recovery_window_days)

    def close(self) -> None:
        with self._lock:
            identity, self._identity = self._identity, None
        if identity is not None:
            identity.close()

    def _name(self, path: str) -> str:
        return f"{self.root_path.rstrip('/')}/{path}" if self.root_path else path

    def _secret(self, path: str, ports: Ports) -> AwsSecret:
        deadline = Deadline(ports.clock, limit=self.pace.send_limit, call=self.timeout)
        with self._lock:
            if self._identity is None:
                self._identity = Identity(
                    self.region,
                    self.auth_data,
                    endpoint_url=self.endpoint_url,
                    ca_bundle=self.ca_bundle,
                    timeout=self.timeout,
                )
            return AwsSecret(self._identity, ports, deadline, self._name(path))


def _confirm(secret: AwsSecret, copy: Copy) -> Held:
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
