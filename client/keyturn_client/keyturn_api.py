"""A virtual account's token, asked from Keyturn itself."""

import os
import re
from collections.abc import Callable

from keyturn_client.fetching import Endpoint, credential
from keyturn_client.files import field_of
from keyturn_client.whole import whole

_ID = re.compile(r"[\w.-]*\w[\w.-]*", re.ASCII)


class ApiOrigin:
    """`GET /api/svc/v1/virtual-accounts/{id}/token`."""

    pause = 2.0

    def __init__(
        self,
        url: str,
        account_id: str,
        *,
        bearer: str | Callable[[], str] | None,
        bearer_file: str | os.PathLike[str] | None,
        ca_bundle: str | os.PathLike[str] | None,
        interval: float,
        timeout: float,
    ) -> None:
        if not _ID.fullmatch(account_id):
            raise ValueError("give the account's id, as the API shows it")
        self.interval = interval
        self._endpoint = Endpoint(url, timeout=timeout, ca_bundle=ca_bundle)
        self._account_id = account_id
        self._bearer = credential("bearer", bearer, bearer_file)

    def fetch(self, *, anew: bool) -> str:
        """The account's current token."""
        del anew  # the API answers the present
        headers = {"Authorization": f"Bearer {self._bearer()}"}
        path = f"/api/svc/v1/virtual-accounts/{self._account_id}/token"
        return whole(field_of(self._endpoint.get(path, headers), "token"))

    def __str__(self) -> str:
        return f"Keyturn {self._endpoint.url}, account {self._account_id}"
