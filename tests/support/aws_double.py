"""AWS (Secrets Manager, Parameter Store, STS): moto behind a layer that misbehaves."""

import logging
import re
import socket
import threading
from base64 import b64decode
from collections.abc import Callable, Iterable
from email.message import Message
from http import HTTPStatus
from io import BytesIO
from typing import Any, Self
from uuid import uuid4

import boto3
from botocore.config import Config
from moto.backends import get_backend
from moto.core.base_backend import BackendDict
from moto.moto_server.werkzeug_app import MotoRequestHandler
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server
from werkzeug.test import run_wsgi_app

from tests.support.http_double import Answer, Fault, Misbehaving, Request

SECRET_SIZE_LIMIT = 65_536  # bytes: AWS Secrets Manager quotas
PARAMETER_SIZE_LIMITS = {"Standard": 4_096, "Advanced": 8_192}  # bytes: Parameter Store tiers
MESSAGES = {
    "AccessDeniedException": "User is not authorized to perform this operation because no"
    " identity-based policy allows it",
    "ThrottlingException": "Rate exceeded",
    "InternalServiceError": "An error occurred on the server side.",
}
SCHEDULED = "You can't perform this operation on the secret because it was marked for deletion."
NAME_TAKEN = (
    "You can't create this secret because a secret with this name is already scheduled for"
    " deletion."
)
TOO_LONG = (
    "1 validation error detected: Value at '{}' failed to satisfy constraint:"
    " Member must have length less than or equal to 65536"
)
PARAMETER_TOO_LONG = "Parameter values have a maximum length limit of {} characters."
QUERY_ERROR = (
    '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>'
    "<Code>{}</Code><Message>{}</Message></Error><RequestId>{}</RequestId></ErrorResponse>"
)


def operation(request: Request) -> str:
    """What was called: the target's last part, or a query service's Action."""
    target = request.headers.get("X-Amz-Target")
    return target.rpartition(".")[2] if target else request.form().get("Action", "")


def refused(request: Request, code: str, message: str = "", status: int | None = None) -> Answer:
    """An error in the shape of the protocol that the request speaks."""
    server_side = code.startswith(("Internal", "ServiceUnavailable"))
    message = message or MESSAGES.get(code, code)
    if request.headers.get("X-Amz-Target"):
        answer = Answer.of(
            {"__type": code, "message": message}, status or (500 if server_side else 400)
        )
        kind = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-RequestId": str(uuid4())}
        return Answer(answer.status, answer.body, kind)
    body = QUERY_ERROR.format(code, message, uuid4())
    return Answer.of(body, status or (500 if server_side else 403), "text/xml")


class AwsDouble(Misbehaving):
    """One AWS account on a free loopback port; another account number is another world.

    Beyond moto: a value over 65,536 bytes is refused, a secret scheduled for deletion takes
    neither values nor labels and keeps its name, ResourceNotFoundException is a 400, and AWSCURRENT
    stays on one version when PutSecretValue follows UpdateSecretVersionStage. A parameter's value
    is refused beyond its tier's size, and so is another type than it has. As in moto: any
    KmsKeyId is accepted, and a demoted version loses its custom labels.
    """

    def __init__(self, *, account_id: str = "123456789012", region: str = "us-east-1") -> None:
        super().__init__()
        self.port = 0
        self.account_id = account_id
        self.region = region
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server: Any = None
        self.reset()

    @property
    def endpoint_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def credentials(self) -> dict[str, str]:
        """Arguments for boto3 that any call is accepted with."""
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        return {**keys, "region_name": self.region}

    def client(self, service: str = "secretsmanager", *, attempts: int = 1) -> Any:
        """A boto3 client for this account; one attempt, as each retry sleeps."""
        config = Config(retries={"total_max_attempts": attempts, "mode": "standard"})
        return boto3.client(
            service, endpoint_url=self.endpoint_url, config=config, **self.credentials
        )

    def fault(
        self,
        named: str,
        *,
        times: int | None = 1,
        error: str | None = None,
        message: str = "",
        status: int | None = None,
        delay: float | None = None,
        drop: bool = False,
        lose_answer: bool = False,
        hang: bool = False,
    ) -> Fault:
        """Spoil the next calls of an operation (`*`: of any); see `HttpDouble.fault`.

        `error` is the code of a true AWS error, as in AccessDeniedException,
        ThrottlingException, InternalServiceError; the operation is then not applied.
        """

        def answer(request: Request) -> Answer:
            return refused(request, error or "", message, status)

        def match(request: Request) -> bool:
            return named in {"*", operation(request)}

        spoilt = answer if error else None
        return self.order(Fault(match, times, spoilt, delay, drop, lose_answer, hang))

    def calls(self, named: str) -> int:
        """How often the operation was asked for, spoilt calls too."""
        return sum(operation(request) == named for request in self.requests)

    def versions(self, secret_id: str, region: str = "") -> list[dict[str, Any]]:
        """Every version ever made, oldest first, as {VersionId, stages, value}."""
        secret = self._secret(secret_id, region or self.region)
        return [
            {
                "VersionId": number,
                "stages": list(version["version_stages"]),
                "value": version.get("secret_string", version.get("secret_binary")),
            }
            for number, version in (secret.versions if secret else {}).items()
        ]

    def parameter_versions(self, name: str, region: str = "") -> list[dict[str, Any]]:
        """Every version of a parameter that is kept, oldest first, with its value in the clear."""
        parameters = get_backend("ssm")[self.account_id][region or self.region]._parameters
        found = parameters[name] if name in parameters else ()  # noqa: SIM401 - asked, it makes one
        return [it.describe_response_object(decrypt=True, include_labels=True) for it in found]

    def reset(self) -> None:
        """The account is empty, nothing misbehaves, the log starts anew."""
        with self._applying:
            for service in list(BackendDict._instances):
                if self.account_id in list(service):
                    service[self.account_id].reset()
        self.clear()

    def start(self) -> None:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._stopping.clear()
        self._server = make_server(
            "127.0.0.1", self.port, self._wsgi, threaded=True, request_handler=_Handler
        )
        self._server.daemon_threads = False  # closing the server then waits for each answer
        self.port = self._server.server_port
        self._serving = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )
        self._serving.start()

    def stop(self) -> None:
        """A second call does nothing."""
        server, self._server = self._server, None
        if server is not None:
            self._cut_off()
            server.shutdown()
            self._serving.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _wsgi(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        answer = self.serve(_request(environ), lambda request: self._answer(request, environ))
        if answer is None:
            environ["werkzeug.socket"].shutdown(socket.SHUT_RDWR)
            raise ConnectionAbortedError
        reason = HTTPStatus(answer.status).phrase
        start_response(f"{answer.status} {reason}", list(answer.headers.items()))
        return [answer.body]

    def _answer(self, request: Request, environ: dict[str, Any]) -> Answer:
        found = re.search(
            r"Credential=[^/]+/\d+/([^/]+)/", request.headers.get("Authorization", "")
        )
        region = found[1] if found else self.region
        asked = request.json() if request.headers.get("X-Amz-Target") else {}
        secret = self._secret(asked.get("SecretId") or asked.get("Name") or "", region)
        refusal = self._guard(request, asked, secret)
        if refusal is not None:
            return refusal
        body = {"wsgi.input": BytesIO(request.body), "HTTP_X_MOTO_ACCOUNT_ID": self.account_id}
        chunks, status, headers = run_wsgi_app(self._moto, {**environ, **body}, buffered=True)
        answer = Answer(int(status.split()[0]), b"".join(chunks), dict(headers))
        if operation(request) == "UpdateSecretVersionStage" and secret is not None:
            labelled = [
                n for n, v in secret.versions.items() if "AWSCURRENT" in v["version_stages"]
            ]
            secret.set_default_version_id(labelled[0] if labelled else None)
        if answer.status == 404 and b'"__type"' in answer.body:
            return Answer(400, answer.body, answer.headers)
        return answer

    def _guard(self, request: Request, asked: dict[str, Any], secret: Any) -> Answer | None:
        called = operation(request)
        if called == "PutParameter":
            return self._guard_parameter(request, asked)
        if called in {"CreateSecret", "PutSecretValue", "UpdateSecret"}:
            if len((asked.get("SecretString") or "").encode()) > SECRET_SIZE_LIMIT:
                return refused(request, "ValidationException", TOO_LONG.format("secretString"))
            if len(b64decode(asked.get("SecretBinary") or "")) > SECRET_SIZE_LIMIT:
                return refused(request, "ValidationException", TOO_LONG.format("secretBinary"))
        if secret is not None and secret.is_deleted():
            if called == "CreateSecret":
                return refused(request, "InvalidRequestException", NAME_TAKEN)
            if called in {"PutSecretValue", "UpdateSecret", "UpdateSecretVersionStage"}:
                return refused(request, "InvalidRequestException", SCHEDULED)
        return None

    def _guard_parameter(self, request: Request, asked: dict[str, Any]) -> Answer | None:
        limit = PARAMETER_SIZE_LIMITS[asked.get("Tier", "Standard")]
        if len(asked["Value"].encode()) > limit:
            return refused(request, "ValidationException", PARAMETER_TOO_LONG.format(limit))
        held = self.parameter_versions(asked["Name"])
        if held and asked.get("Type", held[-1]["Type"]) != held[-1]["Type"]:
            return refused(request, "HierarchyTypeMismatchException")
        return None

    def _secret(self, secret_id: str, region: str) -> Any:
        return get_backend("secretsmanager")[self.account_id][region].secrets.get(secret_id)


class _Handler(MotoRequestHandler):
    timeout = 5.0  # a client that connects and says nothing does not keep the server from closing


def _request(environ: dict[str, Any]) -> Request:
    headers = Message()
    for name, value in environ.items():
        if name.startswith("HTTP_") or name in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
            headers[name.removeprefix("HTTP_").replace("_", "-").title()] = str(value)
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    return Request(environ["REQUEST_METHOD"], environ["PATH_INFO"], {}, headers, body)
