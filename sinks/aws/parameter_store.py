"""AWS Parameter Store: a SecureString whose value is the bare token.

The mark stands in the description, which is written in one call with the value and is of that
version alone; tags say whose the parameter is. A write has no idempotency token and no
check-and-set, so the newest version is read before: the description names the version that it
was written for, and one that is not there any more, or not yet, is found by that.
"""

import re
from datetime import timedelta
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from core.errors import PlaceRefused, Transient
from core.plugins import Pace, Ports
from sinks.aws.parameter import AwsParameter, Described
from sinks.aws.sink import AwsSink
from sinks.base import Copy, Held, Removal

# Assume a role; read (in pages), read the tags, claim, put, read the version.
_CALLS = 8
_PROBE = "keyturn-check"
_PATH = re.compile(r"[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*")
_LONGEST, _LEVELS = 1011, 15
_RESERVED = ("aws", "ssm")


class ParameterStoreSink(AwsSink):
    """Writes tokens into AWS Systems Manager Parameter Store, one parameter per place."""

    kind: ClassVar[str] = "aws/parameter-store"
    title: ClassVar[str] = "AWS Parameter Store"
    # AWS's Lambda extension keeps a parameter for 5 minutes, if nobody says otherwise.
    # docs.aws.amazon.com/systems-manager/latest/userguide/ps-integration-lambda-extensions.html
    usual_refresh: ClassVar[timedelta] = timedelta(minutes=5)

    root_path: Annotated[str, StringConstraints(pattern=rf"^/?{_PATH.pattern}/?$")] | None = Field(
        default=None, max_length=512, description="Goes before every secret path."
    )

    @property
    def pace(self) -> Pace:
        """3 writes per second and account and region, unless its owner has bought more.

        docs.aws.amazon.com/general/latest/gr/ssm.html; reading has quotas of its own.
        """
        return Pace(per_second=3, cost=1, concurrency=4, send_limit=_CALLS * self.timeout)

    def place(self, path: str) -> str:
        """A path without a slash at its ends: to AWS all parameters lie below /."""
        place = "/".join(part for part in path.split("/") if part)
        name = self._name(place)
        if not _PATH.fullmatch(place) or len(name) > _LONGEST or name.count("/") > _LEVELS:
            raise PlaceRefused(
                "a parameter has 1 to 15 parts of letters, digits and _.-, with its root_path"
            )
        if name.lower().startswith(tuple(f"/{prefix}" for prefix in _RESERVED)):
            raise PlaceRefused("names that begin with aws or ssm are AWS's own")
        return place

    def check(self, ports: Ports) -> str:
        parameter = self._parameter(_PROBE, ports)
        owner = self._owner(parameter)
        parameter.describe()
        return f"Parameter Store answers in {self.region}; {owner}"

    def put(self, copy: Copy, ports: Ports) -> Held:
        parameter = self._parameter(copy.path, ports)
        found = parameter.describe(copy.mark.place)
        if found is None:
            version = parameter.create(copy, self.tags or {}, self.kms_arn)
            return _confirm(parameter, copy, version, expected=1)
        if not copy.may_follow(found.mark) or found.mark == copy.mark:
            return found.held
        _check_type(found, copy)
        if found.owner != copy.mark.place:
            parameter.claim(copy)
        version = parameter.put(copy, after=found, kms_key=self.kms_arn)
        return _confirm(parameter, copy, version, expected=found.version + 1)

    def read(self, path: str, ports: Ports, key: str = "") -> Held | None:
        """Somebody else's value in our parameter reads as revision 0."""
        found = self._parameter(path, ports).describe()
        return found.held if found else None

    def remove(self, removal: Removal, ports: Ports) -> None:
        parameter = self._parameter(removal.path, ports)
        found = parameter.describe(removal.place)
        if found is not None and found.owner == removal.place:
            parameter.delete()

    def _name(self, path: str) -> str:
        root = (self.root_path or "").strip("/")
        return f"/{root}/{path}" if root else f"/{path}"

    def _parameter(self, path: str, ports: Ports) -> AwsParameter:
        return AwsParameter(self._identified(), ports, self._deadline(ports), self._name(path))


def _check_type(found: Described, copy: Copy) -> None:
    if found.type != "SecureString":
        raise PlaceRefused(
            f"{copy.path} is no SecureString, and AWS does not change what a parameter is: "
            "delete it, then Keyturn writes it anew."
        )


def _confirm(parameter: AwsParameter, copy: Copy, version: int, *, expected: int) -> Held:
    """What consumers read now; Transient unless that is this copy, or a newer one."""
    if version == expected and parameter.version() == version:
        return Held(copy.mark, str(version))
    found = parameter.describe(copy.mark.place)
    mark = found.mark if found else None
    if found is None or mark is None or mark.place != copy.mark.place or mark < copy.mark:
        raise Transient("The parameter was written or removed at the same moment.")
    return found.held
