"""One parameter of AWS Parameter Store, as one send sees it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from core.errors import DestinationRefused, KeyturnError, PlaceRefused, SendFailed, Transient
from core.ids import Mark
from core.plugins import Ports
from sinks.aws.calls import AwsCalls
from sinks.aws.errors import Refused
from sinks.aws.identity import Identity
from sinks.base import MANAGED_BY, Copy, Held, mark_metadata, mark_of
from sinks.deadline import Deadline

_MISSING = "ParameterNotFound"
_STANDARD_BYTES = 4096
_DESCRIPTION_CHARACTERS = 1024
_GONE = (Transient, "The parameter went away at the same moment.")
_REFUSED: Mapping[str, tuple[type[SendFailed], str]] = {
    _MISSING: _GONE,
    "InvalidResourceId": _GONE,
    "ParameterAlreadyExists": (Transient, "The parameter's name was taken at the same moment."),
    "ParameterLimitExceeded": (
        PlaceRefused,
        "The AWS account holds as many parameters as it may in this region.",
    ),
    "ParameterMaxVersionLimitExceeded": (
        PlaceRefused,
        "The parameter's oldest version has a label, so AWS takes no new one: move the label.",
    ),
    "ParameterPatternMismatchException": (
        PlaceRefused,
        "The parameter has an allowed pattern, which the token does not match.",
    ),
}


@dataclass(frozen=True)
class Described:
    """The newest version of a parameter, without its value.

    `noted` is the mark in its description, and `noted_version` the version it was written for: a
    write that leaves the description out keeps an old one. `claimed` is whose it is by its tags.
    """

    version: int
    type: str
    key_id: str
    noted: Mark | None
    noted_version: int
    claimed: UUID | None = None

    @property
    def owner(self) -> UUID | None:
        """Whose it is; None: somebody else's."""
        return self.claimed or (self.noted.place if self.noted else None)

    @property
    def mark(self) -> Mark | None:
        """What is current. Somebody else's value in our parameter is older than any of ours."""
        if self.noted and self.noted.place == self.owner and self.noted_version == self.version:
            return self.noted
        return Mark(0, 0, self.owner) if self.owner else None

    @property
    def held(self) -> Held:
        return Held(self.mark, str(self.version))


class AwsParameter(AwsCalls):
    """The calls one send makes about one parameter. None of them asks for a decrypted value."""

    service = "ssm"

    def __init__(self, identity: Identity, ports: Ports, deadline: Deadline, name: str) -> None:
        super().__init__(identity, ports, deadline)
        self._name = name

    def describe(self, place: UUID | None = None) -> Described | None:
        """Reads the newest version; None if there is no such parameter.

        Where it does not bear the mark of `place`, the tags are asked whose it is.
        """
        newest = self._newest()
        if newest is None:
            return None
        noted, noted_version = _noted(newest.get("Description", ""))
        is_clear = noted is not None and place in {None, noted.place}
        return Described(
            version=int(newest["Version"]),
            type=newest.get("Type", ""),
            key_id=newest.get("KeyId", ""),
            noted=noted,
            noted_version=noted_version,
            claimed=None if is_clear else self._claimed(),
        )

    def create(self, copy: Copy, tags: Mapping[str, str], kms_key: str | None) -> int:
        """Makes the parameter and answers its version; Transient if the name is taken by now."""
        return self._put(copy, 1, kms_key, Tags=_pairs({**tags, **_bearings(copy)}))

    def put(self, copy: Copy, *, after: Described, kms_key: str | None) -> int:
        """Adds a version with this copy and answers its number."""
        key = kms_key or after.key_id  # left out, AWS would go over to its own key
        return self._put(copy, after.version + 1, key, Overwrite=True)

    def claim(self, copy: Copy) -> None:
        """Says by tags that the parameter is this copy's place from now on."""
        self.do("add_tags_to_resource", **self._tagged, Tags=_pairs(_bearings(copy)))

    def version(self) -> int:
        """The version that consumers read."""
        answer = self.do("get_parameter", Name=self._name, WithDecryption=False)
        return int(_understood(answer.get("Parameter"))["Version"])

    def delete(self) -> None:
        """Removes the parameter with all its versions."""
        self._tried("delete_parameter", Name=self._name)

    def do(self, operation: str, service: str = "", **arguments: Any) -> dict[str, Any]:
        try:
            answer = self.call(operation, service, **arguments)
        except Refused as refused:
            meaning = _meaning(refused)
        else:
            return answer
        raise meaning

    @property
    def _tagged(self) -> dict[str, str]:
        return {"ResourceType": "Parameter", "ResourceId": self._name}

    def _put(self, copy: Copy, version: int, kms_key: str | None, **more: Any) -> int:
        value = copy.text.get_secret_value()
        answer = self.do(
            "put_parameter",
            Name=self._name,
            Value=value,
            Type="SecureString",
            Description=_note(copy, version),
            **({"KeyId": kms_key} if kms_key else {}),
            **({"Tier": "Advanced"} if len(value.encode()) > _STANDARD_BYTES else {}),
            **more,
        )
        return int(_understood(answer)["Version"])

    def _newest(self) -> dict[str, Any] | None:
        """From the history, since nothing else tells one parameter's description by its path."""
        newest: dict[str, Any] | None = None
        more: dict[str, Any] = {}
        while True:
            page = self._tried("get_parameter_history", Name=self._name, MaxResults=50, **more)
            if page is None:
                return None
            for version in page.get("Parameters") or []:
                if int(_understood(version)["Version"]) > (newest or {}).get("Version", 0):
                    newest = version
            if not page.get("NextToken"):
                return newest
            more = {"NextToken": page["NextToken"]}

    def _claimed(self) -> UUID | None:
        answer = self.do("list_tags_for_resource", **self._tagged)
        tags = {tag["Key"]: tag.get("Value", "") for tag in answer.get("TagList") or []}
        if tags.get("managed-by") != MANAGED_BY:
            return None
        try:
            return UUID(tags.get("place", ""))
        except ValueError:
            return None

    def _tried(self, operation: str, **arguments: Any) -> dict[str, Any] | None:
        """None if there is no such parameter."""
        try:
            return self.call(operation, **arguments)
        except Refused as refused:
            if refused.code == _MISSING:
                return None
            meaning = refused.meaning
        raise meaning


def _meaning(refused: Refused) -> KeyturnError:
    if refused.code not in _REFUSED:
        return refused.meaning
    kind, text = _REFUSED[refused.code]
    return kind(text)


def _understood(found: Any) -> dict[str, Any]:
    if not isinstance(found, dict) or not isinstance(found.get("Version"), int):
        raise DestinationRefused("The endpoint does not answer as Parameter Store would.")
    return found


def _note(copy: Copy, version: int) -> str:
    """The mark and the facts, and which version they are about."""
    note = json.dumps({**copy.metadata(), "version": str(version)})
    if len(note) > _DESCRIPTION_CHARACTERS:
        return json.dumps({**mark_metadata(copy.mark), "version": str(version)})
    return note


def _noted(description: str) -> tuple[Mark | None, int]:
    """The mark in a description and its version; None and 0 if Keyturn did not write it."""
    try:
        note = json.loads(description)
        mark = mark_of(note) if isinstance(note, dict) else None
        return (mark, int(note["version"])) if mark else (None, 0)
    except (KeyError, TypeError, ValueError, RecursionError):
        return None, 0


def _bearings(copy: Copy) -> dict[str, str]:
    """The tags by which a parameter is known as ours, also where its description is not."""
    account = copy.facts.get("account")
    known = {"managed-by": MANAGED_BY, "place": str(copy.mark.place)}
    return {**known, "account": account} if account else known


def _pairs(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
