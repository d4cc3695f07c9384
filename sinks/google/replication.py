"""Where Google keeps a secret's values, and by which keys it encrypts them."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from google.cloud.secretmanager_v1 import types
from pydantic import AfterValidator, StringConstraints

Location = Annotated[
    str, StringConstraints(pattern=r"^[a-z]{2,20}-[a-z]{2,20}[0-9]{1,2}$", max_length=40)
]
KmsKey = Annotated[
    str,
    StringConstraints(
        pattern=r"^projects/[a-z0-9:.-]{4,100}/locations/[a-z0-9-]{2,40}"
        r"/keyRings/[A-Za-z0-9_-]{1,63}/cryptoKeys/[A-Za-z0-9_-]{1,63}$"
    ),
]


def _free(key: str) -> str:
    if key == "managed-by":
        raise ValueError("managed-by is Keyturn's own label")
    return key


LabelKey = Annotated[
    str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,62}$"), AfterValidator(_free)
]
LabelValue = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{0,63}$")]


def check_keys(
    location: str | None, replicas: Sequence[str] | None, keys: Sequence[str] | None
) -> None:
    """ValueError unless each place where values are kept has its key, if any has one."""
    if location and replicas:
        raise ValueError("give location, for regional secrets, or replication_locations, not both")
    if not keys:
        return
    wanted = [location] if location else sorted(replicas or ["global"])
    if sorted(_where(key) for key in keys) != wanted:
        raise ValueError(f"kms_keys has one key for each of: {', '.join(wanted)}")


def new_secret(
    location: str | None,
    replicas: Sequence[str] | None,
    keys: Sequence[str] | None,
    labels: Mapping[str, str],
) -> types.Secret:
    """A secret as it is created, without its annotations."""
    encrypted = {
        _where(key): types.CustomerManagedEncryption(kms_key_name=key) for key in keys or ()
    }
    if location:
        key = encrypted.get(location)
        return types.Secret(labels=dict(labels), customer_managed_encryption=key)
    replication: dict[str, Any]
    if replicas:
        kept = [
            types.Replication.UserManaged.Replica(
                location=it, customer_managed_encryption=encrypted.get(it)
            )
            for it in replicas
        ]
        replication = {"user_managed": types.Replication.UserManaged(replicas=kept)}
    else:
        automatic = types.Replication.Automatic(customer_managed_encryption=encrypted.get("global"))
        replication = {"automatic": automatic}
    return types.Secret(labels=dict(labels), replication=types.Replication(**replication))


def _where(key: str) -> str:
    return key.split("/")[3]
