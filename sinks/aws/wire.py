"""How AWS is called: one attempt per call, by clients that threads share."""

import threading
from functools import cache
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from core.dial import Dialer
from core.errors import DestinationRefused
from sinks.aws.errors import UNANSWERED, refused, unanswered

_making = threading.Lock()  # botocore's sessions do not make two clients at once


@cache
def _host() -> boto3.Session:
    """One session for the whole process: each costs some 8 MB, each client of it 0.2 MB."""
    return boto3.Session()


def make_client(
    service: str,
    region: str,
    credentials: dict[str, str],
    *,
    dialer: Dialer,
    endpoint_url: str | None,
    trusted: str | None,
    timeout: float,
) -> Any:
    """A client that threads may share; without credentials it is the host's own.

    A call is one attempt and takes `timeout` seconds, a third of them for connecting.
    """
    config = Config(
        retries={"total_max_attempts": 1, "mode": "standard"},
        connect_timeout=timeout / 3,
        read_timeout=timeout * 2 / 3,
        max_pool_connections=16,
        user_agent_extra="keyturn",
        proxies={},  # the dialer knows the operator's
    )
    kind = ""
    with _making:
        try:
            client = _host().client(  # type: ignore[call-overload] # the service is any
                service,
                region_name=region,
                endpoint_url=endpoint_url,
                verify=trusted,
                config=config,
                **credentials,
            )
        except (BotoCoreError, ValueError) as error:
            kind = type(error).__name__
        else:
            return _guarded(client, dialer)
    raise DestinationRefused(f"AWS's client library does not take this configuration ({kind}).")


def _guarded(client: Any, dialer: Dialer) -> Any:
    """Connects where the dialer does: botocore has no public way to say so."""
    client._endpoint.http_session._manager.pool_classes_by_scheme = dialer.pools()  # noqa: SLF001
    return client


def invoke(client: Any, operation: str, **arguments: Any) -> dict[str, Any]:
    """Calls once. Refused is AWS's answer; what kept it from answering is Transient or Permanent.

    `operation` is named as boto3 names its method. Ours is raised outside the handler of the
    original, which may quote what was sent: nothing is chained to it.
    """
    failure: Exception
    try:
        answer: dict[str, Any] = getattr(client, operation)(**arguments)
    except ClientError as error:
        failure = refused(operation, error)
    except UNANSWERED as error:
        failure = unanswered(error)
    else:
        return answer
    raise failure
