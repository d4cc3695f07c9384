"""The service account of the pod that Keyturn runs in, as far as Vaults may see it."""

from core.errors import Misconfigured
from core.plugins import Ports

LONGEST_TOKEN = 65_536


def service_account(ports: Ports, method: str) -> str:
    """The token as it is now, for this auth method: the cluster replaces it every hour or so.

    Misconfigured unless the operator lends it to just this method, and it is there.
    """
    if not ports.ambient_credentials:
        raise Misconfigured(
            "This login uses the service account of Keyturn's own pod, which the operator has "
            "not allowed: set KEYTURN_AMBIENT_CREDENTIALS, or log in by `approle` or `jwt`."
        )
    if method not in ports.ambient_vaults:
        raise Misconfigured(
            "The service account of Keyturn's own pod goes only where the operator says: "
            f"name {method} in KEYTURN_AMBIENT_VAULTS, or log in by `approle` or `jwt`."
        )
    try:
        with (ports.service_account / "token").open("rb") as file:
            token = file.read(LONGEST_TOKEN).decode("ascii").strip()
    except (OSError, UnicodeDecodeError):
        token = ""
    if not token:
        raise Misconfigured(
            "Keyturn's own pod has no service account's token; the login `kubernetes` needs one."
        )
    return token
