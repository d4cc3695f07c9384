"""A kubeconfig document, read against a list of what may stand in it.

A kubeconfig can name programs to run and files to read. Nothing of the kind is taken.
"""

from base64 import b64decode
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, TypeAdapter

from core.plugins import YAML
from sinks.endpoint import Address, CaBundle
from sinks.kubernetes.access import Access, Bearer

_HOW = "give what `kubectl config view --minify --flatten --raw` prints"
_FILE = "it names a file of the machine it is read on; " + _HOW
_PROGRAM = "it runs a program; give a service account's token"
_REFUSED = {
    "exec": _PROGRAM,
    "auth-provider": _PROGRAM,
    "tokenFile": _FILE,
    "certificate-authority": _FILE,
    "client-certificate": _FILE,
    "client-key": _FILE,
    "insecure-skip-tls-verify": "give certificate-authority-data instead",
    "proxy-url": "the operator says how the outside is reached",
    "username": "clusters have no passwords any more",
    "password": "clusters have no passwords any more",
}
_TOP = {"apiVersion", "kind", "preferences", "extensions", "clusters", "contexts", "users"}
_CLUSTER = {"server", "certificate-authority-data", "extensions"}
_USER = {"token", "client-certificate-data", "client-key-data", "extensions"}
_CONTEXT = {"cluster", "user", "namespace", "extensions"}


def read_kubeconfig(document: SecretStr) -> Access:
    """The cluster and the user of its current context; ValueError names what is not taken."""
    given = _loaded(document.get_secret_value())
    _allow(given, _TOP | {"current-context"}, "kubeconfig")
    context = _named(given, "contexts", "context", given.get("current-context"))
    _allow(context, _CONTEXT, "context")
    cluster = _named(given, "clusters", "cluster", context.get("cluster"))
    _allow(cluster, _CLUSTER, "cluster")
    user = _named(given, "users", "user", context.get("user"))
    _allow(user, _USER, "user")
    access = Access(
        server=_checked(Address, cluster.get("server"), "cluster.server: give an http(s) URL"),
        ca=_authorities(cluster),
        token=_token(user),
        certificate=_certificate(user),
    )
    if access.token is None and access.certificate is None:
        raise ValueError("user: give a token, or client-certificate-data with client-key-data")
    return access


def _readable(document: SecretStr) -> SecretStr:
    read_kubeconfig(document).context()
    return document


class KubeconfigAuth(BaseModel):
    """A cluster and a user as kubectl knows them."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    type: Literal["kubeconfig"]
    kubeconfig: Annotated[
        SecretStr,
        Field(max_length=200_000, json_schema_extra=YAML),
        AfterValidator(_readable),
    ]


def _loaded(text: str) -> Mapping[str, Any]:
    try:
        given = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):
        given = None
    if isinstance(given, dict):
        return given
    raise ValueError(f"this is no kubeconfig in YAML or JSON; {_HOW}")


def _allow(given: Mapping[str, Any], allowed: set[str], where: str) -> None:
    for name in given:
        if name in _REFUSED:
            raise ValueError(f"{where}.{name} is not taken: {_REFUSED[name]}")
    if given.keys() - allowed:
        raise ValueError(f"in {where} only these are taken: {', '.join(sorted(allowed))}")


def _named(given: Mapping[str, Any], group: str, kind: str, name: Any) -> Mapping[str, Any]:
    """The entry of this name; without a name, the only one."""
    entries = given.get(group)
    listed = [it for it in entries if isinstance(it, dict)] if isinstance(entries, list) else []
    found = [it.get(kind) for it in listed if name is None or it.get("name") == name]
    if len(found) != 1 or not isinstance(found[0], dict):
        raise ValueError(f"{group}: the current context's {kind} has to stand there once; {_HOW}")
    return found[0]


def _authorities(cluster: Mapping[str, Any]) -> str | None:
    name = "certificate-authority-data"
    pem = _decoded(cluster, name)
    said = f"cluster.{name}: give certificates as PEM in base64"
    return None if pem is None else str(_checked(CaBundle, pem, said))


def _token(user: Mapping[str, Any]) -> SecretStr | None:
    if user.get("token") is None:
        return None
    token: SecretStr = _checked(Bearer, user["token"], "user.token: give a token as text")
    return token


def _certificate(user: Mapping[str, Any]) -> SecretStr | None:
    parts = [_decoded(user, name) for name in ("client-certificate-data", "client-key-data")]
    given = [part for part in parts if part]
    if len(given) == 1:
        raise ValueError("user: client-certificate-data and client-key-data belong together")
    return SecretStr("\n".join(given)) if given else None


def _decoded(given: Mapping[str, Any], name: str) -> str | None:
    if given.get(name) is None:
        return None
    try:
        return b64decode(str(given[name]), validate=True).decode("ascii")
    except ValueError:
        pass
    raise ValueError(f"{name}: give PEM in base64")


def _checked(kind: Any, given: Any, said: str) -> Any:
    try:
        return TypeAdapter(kind).validate_python(given)
    except ValueError:
        pass
    raise ValueError(said)
