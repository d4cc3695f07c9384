"""What identity providers publish: their discovery documents and their keys."""

from collections.abc import Mapping, Sequence
from typing import Any

from core.dial import Dialer
from core.errors import Transient
from core.jwks import VerificationKey, read_set
from core.provider_manifests import IdentityProviderManifest
from core.wire import https_url
from services.identity.provider_calls import look_up


def discover(dialer: Dialer, manifest: IdentityProviderManifest) -> Mapping[str, Any]:
    """The provider's discovery document; Transient or Permanent if it cannot be had.

    One that names another issuer is somebody else's.
    """
    document = look_up(dialer, manifest.discovery_url, ca_bundle=manifest.ca_bundle)
    if document.get("issuer") != manifest.issuer:
        raise Transient("The discovery document is another issuer's: give the issuer it names.")
    return document


def endpoint(document: Mapping[str, Any], name: str) -> str:
    """One of the addresses in a discovery document; Transient unless it is a safe one."""
    found = document.get(name)
    try:
        return https_url(found) if isinstance(found, str) else https_url("")
    except ValueError:
        pass
    raise Transient(f"The discovery document has no {name} that can be called.")


def fetch_keys(dialer: Dialer, manifest: IdentityProviderManifest) -> Sequence[VerificationKey]:
    """The provider's keys, at least one; Transient or Permanent if they cannot be had."""
    uri = manifest.jwks_uri or endpoint(discover(dialer, manifest), "jwks_uri")
    keys = read_set(look_up(dialer, uri, ca_bundle=manifest.ca_bundle))
    if not keys:
        raise Transient("The key set has no key that signatures can be checked by.")
    return keys
