"""What the sinks of AWS have in common: where they write, in whose name, and by which clients."""

import threading
from typing import Annotated, Any

from pydantic import AfterValidator, Field, PrivateAttr, StringConstraints

from core.errors import DestinationRefused
from core.plugins import Ports
from sinks.aws.calls import AwsCalls
from sinks.aws.identity import AccessKeyAuth, AssumedRoleAuth, Identity
from sinks.base import Sink
from sinks.deadline import Deadline
from sinks.endpoint import Address, CaBundle


def _free(key: str) -> str:
    if key in {"managed-by", "place", "account"} or key.lower().startswith(("aws:", "keyturn:")):
        raise ValueError(
            "managed-by, place, account and keyturn:... are Keyturn's tags, aws:... are AWS's"
        )
    return key


TagKey = Annotated[str, StringConstraints(min_length=1, max_length=128), AfterValidator(_free)]
TagValue = Annotated[str, Field(max_length=256, coerce_numbers_to_str=True)]


class AwsSink(Sink):
    """A secret store of one AWS account and region."""

    provider = "aws"

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
    endpoint_url: Address | None = Field(
        default=None, description="A VPC endpoint or an emulator; left out: the region's own."
    )
    ca_bundle: CaBundle | None = Field(
        default=None, repr=False, description="PEM text of the authorities that sign its TLS."
    )
    timeout: float = Field(default=5.0, ge=0.1, le=60.0, description="Seconds one call may take.")

    _lock: Any = PrivateAttr(default_factory=threading.Lock)
    _identity: Identity | None = PrivateAttr(default=None)

    def quota_key(self, address: str) -> str | None:
        account = self.aws_account_id
        if account is None and isinstance(self.auth_data, AssumedRoleAuth):
            account = self.auth_data.account_id
        if account is None and isinstance(self.auth_data, AccessKeyAuth):
            account = self.auth_data.access_key_id
        return f"{account or 'ambient'}:{self.region}"

    def close(self) -> None:
        with self._lock:
            identity, self._identity = self._identity, None
        if identity is not None:
            identity.close()

    def _deadline(self, ports: Ports) -> Deadline:
        return Deadline(ports.clock, limit=self.pace.send_limit, call=self.timeout)

    def _identified(self) -> Identity:
        with self._lock:
            if self._identity is None:
                self._identity = Identity(
                    self.region,
                    self.auth_data,
                    endpoint_url=self.endpoint_url,
                    ca_bundle=self.ca_bundle,
                    timeout=self.timeout,
                )
            return self._identity

    def _owner(self, calls: AwsCalls) -> str:
        """Says whose these credentials are; DestinationRefused if another account's."""
        account = calls.account()
        if self.aws_account_id not in {None, account}:
            raise DestinationRefused(
                f"These credentials belong to the AWS account {account}, not to "
                f"{self.aws_account_id}, which the integration names."
            )
        named = " as the integration says" if self.aws_account_id else ""
        return f"the AWS account is {account}{named}."
