"""How manifests are spelled: the reference's snake_case in, and as clients read it out."""

import math
import re
from typing import Any

from core.errors import InvalidInput
from core.fields import UNTEXT

_CAMEL = re.compile(r"(?<=[a-z0-9])([A-Z])")
_FREE = {"headers", "tags"}  # what is below these keys is the user's own
_DEEPEST = 32
# What the reference's `notification_target` may be; None: there is none.
_REFERENCE_TARGETS = {None, "email", "slack-bot", "slack-webhook", "pagerduty", "ms-teams-webhook"}


def reference_spelling(given: dict[str, Any]) -> dict[str, Any]:
    """Keys in camelCase become the reference's snake_case; `ownedBy` as the reference has it.

    InvalidInput for what no database or JSON document can hold.
    """
    _check_storable(given, "", 0)
    spelled: dict[str, Any] = _spelled(given)
    return spelled


def _check_storable(given: Any, path: str, depth: int) -> None:
    if depth > _DEEPEST:
        raise InvalidInput(path, f"this is nested more than {_DEEPEST} levels deep")
    if isinstance(given, str) and UNTEXT.search(given):
        raise InvalidInput(path, "this text has a NUL character or half a surrogate pair")
    if isinstance(given, float) and not math.isfinite(given):
        raise InvalidInput(path, "give a finite number")
    if isinstance(given, dict):
        for key, value in given.items():
            _check_storable(key, path or "manifest", depth)
            _check_storable(value, f"{path}.{key}" if path else key, depth + 1)
    if isinstance(given, list):
        for number, item in enumerate(given):
            _check_storable(item, f"{path}.{number}", depth + 1)


def _spelled(given: Any) -> Any:
    if isinstance(given, list):
        return [_spelled(item) for item in given]
    if not isinstance(given, dict):
        return given
    spelled = {}
    for key, value in given.items():
        snake = _CAMEL.sub(r"_\1", key).lower() if not key.isupper() else key
        name = "ownedBy" if snake == "owned_by" else snake
        spelled[name] = value if snake in _FREE else _spelled(value)
    return {key: value for key, value in spelled.items() if value is not None}


def answered(manifest: dict[str, Any], *, grace_days: int = 30) -> dict[str, Any]:
    """The manifest as clients read it: the SDK needs auto_rotate's two day fields.

    `grace_days` is the account's grace, told where the manifest says none: a client that sends
    back what it read changes nothing.

    It also refuses a whole answer, lists included, for a `notification_target` of a type that it
    does not know: one of ours is shown as the only one of `notification_targets`.
    """
    told = dict(manifest)
    if told.get("auto_rotate") is not None:
        grace = 30 if "grace" in told["auto_rotate"] else grace_days
        days = {"auto_rotate_interval": 360, "grace_period": grace}
        told["auto_rotate"] = {**days, **told["auto_rotate"]}
    if told.get("notification_target", {}).get("type") not in _REFERENCE_TARGETS:
        told["notification_targets"] = [told.pop("notification_target")]
    return told
