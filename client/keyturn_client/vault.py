"""A token in a KV v2 secrets engine of HashiCorp Vault or OpenBao."""

import os
from urllib.parse import quote

from keyturn_client.fetching import Endpoint, credential
from keyturn_client.files import field_of
from keyturn_client.whole import whole


class VaultOrigin:
    """A field of one secret."""

    pause = 2.0

    def __init__(
        self,
        address: str,
        path: str,
        *,
        mount: str,
        field: str,
        token: str | None,
        token_file: str | os.PathLike[str] | None,
        namespace: str | None,
        ca_bundle: str | os.PathLike[str] | None,
        interval: float,
        timeout: float,
    ) -> None:
        self.interval = interval
        self._endpoint = Endpoint(address, timeout=timeout, ca_bundle=ca_bundle)
        self._place = f"{_tidied('mount', mount)}/data/{_tidied('path', path)}"
        self._field = field
        self._token = credential("token", token, token_file)
        self._namespace = {"X-Vault-Namespace": namespace} if namespace else {}

    def fetch(self, *, anew: bool) -> str:
        """The latest version's field."""
        del anew  # Vault remembers nothing older for us
        headers = {
            "X-Vault-Token": self._token(),
            "X-Vault-Request": "true",
            **self._namespace,
        }
        answer = self._endpoint.get(f"/v1/{quote(self._place)}", headers)
        data = answer.get("data") if isinstance(answer, dict) else None
        document = data.get("data") if isinstance(data, dict) else None
        return whole(field_of(document, self._field))

    def __str__(self) -> str:
        return f"Vault {self._endpoint.url}, {self._place}, {self._field}"


def _tidied(name: str, path: str) -> str:
    parts = [part for part in path.split("/") if part]
    if not parts or {".", ".."} & set(parts):
        raise ValueError(f"the {name} has at least one part, and no . or ..")
    return "/".join(parts)
