"""In whose name AWS is called: given keys, the host's own identity, or a role that it assumes."""

import math
import re
import threading
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from core.errors import DestinationRefused, Misconfigured, PlaceRefused, Transient
from core.plugins import Ports
from sinks.aws.errors import Refused
from sinks.aws.wire import invoke, make_client
from sinks.deadline import Deadline
from sinks.endpoint import TrustFile

_AWS_HOSTS = (".amazonaws.com", ".amazonaws.com.cn")
_NAMED = re.compile(r"(?:^|\.)(secretsmanager|ssm)(?:-fips)?\.")
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_SESSION_SECONDS = 3600  # the longest that a role assumed by a role may last


class _Auth(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class AccessKeyAuth(_Auth):
    """The keys of an IAM user."""

    type: Literal["access-key-based"] = "access-key-based"
    access_key_id: str = Field(max_length=128, pattern=r"^[A-Za-z0-9_]+$")
    secret_access_key: SecretStr = Field(min_length=1, max_length=200)


class AssumedRoleAuth(_Auth):
    """A role that the host's own identity assumes."""

    type: Literal["assumed-role-based"] = "assumed-role-based"
    assumed_role_arn: str = Field(
        max_length=600, pattern=r"^arn:[a-z-]+:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+$"
    )
    external_id: str | None = Field(
        default=None, max_length=1224, pattern=r"^[A-Za-z0-9_+=,.@:/-]+$"
    )

    @property
    def account_id(self) -> str:
        return self.assumed_role_arn.split(":")[4]


class Identity:
    """Gives the clients that an integration's sends share; safe from any thread."""

    def __init__(
        self,
        region: str,
        auth: AccessKeyAuth | AssumedRoleAuth | None,
        *,
        endpoint_url: str | None,
        ca_bundle: str | None,
        timeout: float,
    ) -> None:
        self._region = region
        self._auth = auth
        self._endpoint_url = endpoint_url
        self._trust = TrustFile(ca_bundle) if ca_bundle else None
        self._timeout = timeout
        self._lock = threading.Lock()
        self._clients: dict[str, Any] = {}
        self._assumed: dict[str, str] | None = None
        self._renew_at = math.inf

    @property
    def is_renewable(self) -> bool:
        """Whether credentials that have expired can be had anew."""
        return isinstance(self._auth, AssumedRoleAuth)

    def client(self, service: str, ports: Ports, deadline: Deadline, refused: Any = None) -> Any:
        """A client with credentials that are good now: not the `refused` one's.

        Misconfigured if these are the host's own and the operator does not lend them.
        DestinationRefused if the role may not be assumed.
        """
        self._check_ambient(ports)
        if not self._lock.acquire(timeout=deadline.call):
            raise Transient("Another send is still asking AWS for credentials.")
        try:
            is_refused = refused is not None and self._clients.get(service) is refused
            is_old = self._assumed is None or deadline.elapsed() >= self._renew_at
            if self.is_renewable and (is_old or is_refused):
                self._assumed = self._assume(ports, deadline)
                self._renew_at = deadline.elapsed() + _SESSION_SECONDS * 2 / 3
                self._clients = {}  # other threads may still be calling with the old ones
            if service not in self._clients:
                self._clients[service] = self._make(service, self._credentials(), ports)
            return self._clients[service]
        finally:
            self._lock.release()

    def close(self) -> None:
        with self._lock:
            for client in self._clients.values():
                client.close()
            self._clients, self._assumed = {}, None
        if self._trust is not None:
            self._trust.remove()

    def _check_ambient(self, ports: Ports) -> None:
        if not isinstance(self._auth, AccessKeyAuth) and not ports.ambient_credentials:
            raise Misconfigured(
                "Without access keys this uses the AWS identity of Keyturn's own host, which the "
                "operator has not allowed: set KEYTURN_AMBIENT_CREDENTIALS, or give access keys."
            )
        if not isinstance(self._auth, AccessKeyAuth) and not self._is_aws():
            raise Misconfigured(
                "The AWS identity of Keyturn's own host is shown to AWS only: give access keys "
                "for this endpoint_url, or one below amazonaws.com."
            )

    def _is_aws(self) -> bool:
        """Whether calls end at AWS, or at an emulator on this host."""
        host = urlsplit(self._endpoint_url or "").hostname
        return host is None or host in _LOOPBACK or host.endswith(_AWS_HOSTS)

    def _credentials(self) -> dict[str, str]:
        if isinstance(self._auth, AccessKeyAuth):
            return {
                "aws_access_key_id": self._auth.access_key_id,
                "aws_secret_access_key": self._auth.secret_access_key.get_secret_value(),
            }
        return self._assumed or {}

    def _assume(self, ports: Ports, deadline: Deadline) -> dict[str, str]:
        assert isinstance(self._auth, AssumedRoleAuth)
        external = {"ExternalId": self._auth.external_id} if self._auth.external_id else {}
        sts = self._make("sts", {}, ports)
        deadline.start_call()
        failure: Exception
        try:
            answer = invoke(
                sts,
                "assume_role",
                RoleArn=self._auth.assumed_role_arn,
                RoleSessionName="keyturn",
                DurationSeconds=_SESSION_SECONDS,
                **external,
            )
        except Refused as refused:
            failure = refused.meaning
        else:
            given = answer["Credentials"]
            return {
                "aws_access_key_id": given["AccessKeyId"],
                "aws_secret_access_key": given["SecretAccessKey"],
                "aws_session_token": given["SessionToken"],
            }
        finally:
            sts.close()
        if isinstance(failure, PlaceRefused):
            failure = DestinationRefused("AWS does not let Keyturn's host assume the role.")
        raise failure

    def _make(self, service: str, credentials: dict[str, str], ports: Ports) -> Any:
        return make_client(
            service,
            self._region,
            credentials,
            dialer=ports.dialer,
            endpoint_url=self._endpoint_of(service),
            trusted=self._trust.path if self._trust else None,
            timeout=self._timeout,
        )

    def _endpoint_of(self, service: str) -> str | None:
        """An endpoint that bears a service's name (a VPC's, a FIPS one) is that service's alone."""
        given = self._endpoint_url
        named = _NAMED.search(urlsplit(given).hostname or "") if given else None
        return None if named and named[1] != service else given
