"""The addresses of Vault's auth methods in one spelling, so that they can be compared."""

import re

_USUAL_PORTS = {"http": ":80", "https": ":443"}
_ADDRESS = re.compile(r"https?://[^/\s@?#]+(/[^\s@?#]*)?")
_METHOD = re.compile(r"/v1/(.+/)?auth/.+")


def auth_method(vault: str, namespace: str | None, mount: str) -> str:
    """Where the auth method at `mount` answers; `vault` is an http(s) address."""
    within = (namespace or "").strip("/")
    return f"{_spelt(vault)}/v1/{within and f'{within}/'}auth/{mount}"


def parse_auth_methods(text: str) -> tuple[str, ...]:
    """Addresses separated by commas; ValueError if one is none.

    A Vault's address alone stands for its auth method `kubernetes`, outside of any namespace.
    """
    return tuple(_parsed(part.strip()) for part in text.split(",") if part.strip())


def _parsed(address: str) -> str:
    if not _ADDRESS.fullmatch(address) or "/../" in f"{address}/":
        raise ValueError(address)
    if _METHOD.search(address):
        return _spelt(address)
    return auth_method(address, None, "kubernetes")


def _spelt(address: str) -> str:
    """With a small scheme and host, without the usual port and slashes at the end."""
    scheme, _, rest = address.rstrip("/").partition("://")
    host, slash, path = rest.partition("/")
    usual = _USUAL_PORTS.get(scheme.lower(), "")
    return f"{scheme.lower()}://{host.lower().removesuffix(usual)}{slash}{path}"
