"""One secret of AWS Secrets Manager, as one send sees it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import SecretStr

from core.errors import DestinationRefused, PlaceRefused, Transient
from core.ids import Mark
from core.plugins import Ports
from sinks.aws.calls import AwsCalls
from sinks.aws.errors import MISSING, Refused
from sinks.aws.identity import Identity
from sinks.base import MANAGED_BY, Copy, Held
from sinks.deadline import Deadline

KEY = "keyturn:"
"""Goes before a key in the name of the tag that says whose it is."""

_CURRENT = "AWSCURRENT"
_TAKEN = {"ResourceExistsException", "InvalidRequestException"}


@dataclass(frozen=True)
class Described:
    """A secret without its value: whose tags it bears, and which versions have labels."""

    tags: Mapping[str, str]
    stages: Mapping[str, list[str]]
    is_scheduled: bool

    @property
    def place(self) -> UUID | None:
        """Whose it is by its tags; None: somebody else's."""
        if self.tags.get("managed-by") != MANAGED_BY:
            return None
        try:
            return UUID(self.tags.get("place", ""))
        except ValueError:
            return None

    @property
    def current(self) -> str:
        """The version that consumers read."""
        return next((id_ for id_, labels in self.stages.items() if _CURRENT in labels), "")

    @property
    def mark(self) -> Mark | None:
        """What is current. Somebody else's value in our secret is older than any of ours."""
        if self.place is None:
            return None
        mark = Mark.of_version_id(self.current)
        return mark if mark and mark.place == self.place else Mark(0, 0, self.place)

    @property
    def newest(self) -> Mark | None:
        """The highest of this place's marks that still has a label."""
        marks = [Mark.of_version_id(id_) for id_ in self.stages]
        return max((mark for mark in marks if mark and mark.place == self.place), default=None)

    @property
    def is_of_keys(self) -> bool:
        """Whether Keyturn writes single keys of it, and not the whole."""
        return self.place is None and any(tag.startswith(KEY) for tag in self.tags)

    @property
    def held(self) -> Held:
        return Held(self.mark, self.current)


class AwsSecret(AwsCalls):
    """The calls one send makes about one secret."""

    service = "secretsmanager"

    def __init__(self, identity: Identity, ports: Ports, deadline: Deadline, name: str) -> None:
        super().__init__(identity, ports, deadline)
        self._name = name

    def describe(self) -> Described | None:
        """Reads tags and labels; None if there is no such secret."""
        try:
            found = self.call("describe_secret", SecretId=self._name)
        except Refused as refused:
            if refused.code == MISSING:
                return None
            meaning = refused.meaning
        else:
            return _described(found)
        raise meaning

    def create(self, copy: Copy, tags: Mapping[str, str], kms_key: str | None) -> None:
        """Makes the secret with its first version. Transient if the name is taken by now."""
        known = {**tags, **_bearings(copy)}
        self.make(copy.text, copy.mark.version_id(), known, kms_key)

    def make(
        self, value: SecretStr, version: str, tags: Mapping[str, str], kms_key: str | None
    ) -> None:
        """Makes the secret with a first version of this id. Transient if the name is taken."""
        try:
            self.call(
                "create_secret",
                Name=self._name,
                Description="Managed by Keyturn",
                SecretString=value.get_secret_value(),
                ClientRequestToken=version,
                Tags=_pairs(tags),
                **({"KmsKeyId": kms_key} if kms_key else {}),
            )
        except Refused as refused:
            meaning = refused.meaning
            if refused.code in _TAKEN:
                meaning = Transient("The secret's name is taken, or still being deleted.")
        else:
            return
        raise meaning

    def put(self, copy: Copy) -> None:
        """Adds this copy as the current version; a version that exists stays where it is."""
        try:
            self.call(
                "put_secret_value",
                SecretId=self._name,
                SecretString=copy.text.get_secret_value(),
                ClientRequestToken=copy.mark.version_id(),
            )
        except Refused as refused:
            meaning = refused.meaning
            if refused.code == "ResourceExistsException":
                meaning = PlaceRefused(
                    "The secret has a version of this revision with another value: "
                    "write it again with `force`, which takes a new revision."
                )
        else:
            return
        raise meaning

    def promote(self, mark: Mark, instead_of: str) -> None:
        """Makes a version that exists the current one."""
        self.do(
            "update_secret_version_stage",
            SecretId=self._name,
            VersionStage=_CURRENT,
            MoveToVersionId=mark.version_id(),
            **({"RemoveFromVersionId": instead_of} if instead_of else {}),
        )

    def claim(self, copy: Copy) -> None:
        """Says by tags that the secret is this copy's place from now on."""
        self.do("tag_resource", SecretId=self._name, Tags=_pairs(_bearings(copy)))

    def restore(self) -> None:
        """Takes back its deletion, which is scheduled."""
        self.do("restore_secret", SecretId=self._name)

    def delete(self, recovery_days: int) -> None:
        """Schedules its deletion; with 0 days it is gone at once."""
        window: dict[str, Any] = (
            {"RecoveryWindowInDays": recovery_days}
            if recovery_days
            else {"ForceDeleteWithoutRecovery": True}
        )
        self.do("delete_secret", SecretId=self._name, **window)


def _described(found: dict[str, Any]) -> Described:
    if "ARN" not in found:
        raise DestinationRefused("The endpoint does not answer as Secrets Manager would.")
    return Described(
        tags={tag["Key"]: tag.get("Value", "") for tag in found.get("Tags") or []},
        stages=found.get("VersionIdsToStages") or {},
        is_scheduled="DeletedDate" in found,
    )


def _bearings(copy: Copy) -> dict[str, str]:
    """The tags by which a secret is known as ours; its revision is in the version's id."""
    account = copy.facts.get("account")
    known = {"managed-by": MANAGED_BY, "place": str(copy.mark.place)}
    return {**known, "account": account} if account else known


def _pairs(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
