"""Asterisks in a manifest: they stand for the credential that is stored in their place."""

from collections.abc import Iterator
from typing import Any

from core.errors import InvalidInput
from core.plugins import MASK

_ADDRESSES = {"ca_bundle", "host", "issuer", "port"}


def unmask(given: Any, before: Any, where: str = "") -> Any:
    """`given`, with asterisks replaced by what was stored there; lists of named things by name.

    InvalidInput where nothing is stored, and where the same manifest changes an address: a
    credential that one cannot read cannot be sent to a place of one's choice.
    """
    if given == MASK:
        if before is None:
            raise InvalidInput(where or "manifest", "asterisks keep what is stored: nothing is")
        return before
    if isinstance(given, dict):
        held = before if isinstance(before, dict) else {}
        if held and "name" in given and "integrations" not in given:
            _check_addresses(given, held, where)
        return {
            key: unmask(value, held.get(key), f"{where}.{key}".lstrip("."))
            for key, value in given.items()
        }
    if isinstance(given, list):
        held_list = before if isinstance(before, list) else []
        named = {name: item for item in held_list if (name := _name_of(item))}
        return [
            unmask(item, named.get(_name_of(item)), f"{where}.{number}")
            for number, item in enumerate(given)
        ]
    return given


def _check_addresses(given: dict[str, Any], held: dict[str, Any], where: str) -> None:
    if not any(value == MASK for _, value in _leaves(given)):
        return
    before = dict(_leaves(held))
    for path, value in _leaves(given):
        name = path.rpartition(".")[2]
        is_address = name in _ADDRESSES or name.endswith("url")
        if is_address and value != MASK and value != before.get(path):
            raise InvalidInput(
                f"{where}.{path}".lstrip("."),
                "to send a credential to another address, give the credential itself again",
            )


def _leaves(item: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(item, dict):
        for key, value in item.items():
            yield from _leaves(value, f"{path}.{key}".lstrip("."))
    else:
        yield path, item


def _name_of(item: Any) -> str:
    name = item.get("name") if isinstance(item, dict) else None
    return name if isinstance(name, str) else ""
