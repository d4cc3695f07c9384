"""The calls one send makes to AWS, all within one deadline and in one identity's name."""

from typing import Any, ClassVar

from core.plugins import Ports
from sinks.aws.errors import EXPIRED, Refused
from sinks.aws.identity import Identity
from sinks.aws.wire import invoke
from sinks.deadline import Deadline


class AwsCalls:
    """One service as one send calls it; credentials that expire are replaced once."""

    service: ClassVar[str]

    def __init__(self, identity: Identity, ports: Ports, deadline: Deadline) -> None:
        self._identity = identity
        self._ports = ports
        self._deadline = deadline

    def account(self) -> str:
        """The number of the AWS account that these credentials belong to."""
        return str(self.do("get_caller_identity", "sts").get("Account", "unknown"))

    def do(self, operation: str, service: str = "", **arguments: Any) -> dict[str, Any]:
        """Calls; what AWS refuses is raised as what that means for the send."""
        try:
            answer = self.call(operation, service, **arguments)
        except Refused as refused:
            meaning = refused.meaning
        else:
            return answer
        raise meaning

    def call(self, operation: str, service: str = "", **arguments: Any) -> dict[str, Any]:
        """Calls; Refused says by which code AWS refuses."""
        service = service or self.service
        client = self._identity.client(service, self._ports, self._deadline)
        self._deadline.start_call()
        try:
            return invoke(client, operation, **arguments)
        except Refused as refused:
            if refused.code not in EXPIRED or not self._identity.is_renewable:
                raise
        client = self._identity.client(service, self._ports, self._deadline, refused=client)
        self._deadline.start_call()
        return invoke(client, operation, **arguments)
