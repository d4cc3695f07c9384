"""Where a cluster answers, and in whose name Keyturn calls it."""

import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr

from core.errors import Misconfigured
from core.plugins import Ports
from sinks.endpoint import TrustFile

_LONGEST_TOKEN = 65_536


def _sendable(token: SecretStr) -> SecretStr:
    text = token.get_secret_value()
    if not (text.isascii() and text.isprintable() and " " not in text):
        raise ValueError("a token has no spaces, line breaks or other than ASCII characters")
    return token


Bearer = Annotated[
    SecretStr, Field(min_length=1, max_length=_LONGEST_TOKEN), AfterValidator(_sendable)
]


@dataclass(frozen=True)
class Access:
    """One cluster and one identity there: a token, a client certificate, or both."""

    server: str
    ca: str | None = None
    token: SecretStr | None = None
    certificate: SecretStr | None = None

    def context(self) -> ssl.SSLContext:
        """TLS by these authorities; ValueError if certificate and key are not a pair."""
        context = ssl.create_default_context(cadata=self.ca)
        if self.certificate is None:
            return context
        file = TrustFile(self.certificate.get_secret_value())
        try:
            context.load_cert_chain(file.path, password="")
        except (ssl.SSLError, ValueError, OSError):
            pass
        else:
            return context
        finally:
            file.remove()
        raise ValueError("the client's certificate and key are not a pair in PEM, unencrypted")


class _Auth(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class TokenAuth(_Auth):
    """The token of a service account, for the cluster at `server`."""

    type: Literal["token"] = "token"
    token: Bearer


class InClusterAuth(_Auth):
    """The service account of the pod that Keyturn runs in, for the cluster around it."""

    type: Literal["in-cluster"]

    @staticmethod
    def access(ports: Ports) -> Access:
        """As the pod's files say now; Misconfigured if the operator does not lend them."""
        if not ports.ambient_credentials:
            raise Misconfigured(
                "This uses the service account of Keyturn's own pod, which the operator has not "
                "allowed: set KEYTURN_AMBIENT_CREDENTIALS, or give a kubeconfig or a token."
            )
        host = os.environ.get("KUBERNETES_SERVICE_HOST", "")
        port = os.environ.get("KUBERNETES_SERVICE_PORT", "")
        token = _content(ports.service_account / "token")
        if not (host and port and token):
            raise Misconfigured("Keyturn does not run in a cluster, or without a service account.")
        named = f"[{host}]" if ":" in host else host
        ca = _content(ports.service_account / "ca.crt")
        return Access(f"https://{named}:{port}", ca or None, SecretStr(token))


def _content(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_LONGEST_TOKEN).decode("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
