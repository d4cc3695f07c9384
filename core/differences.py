"""What changes between two manifests, as people read it: a unified diff of their YAML."""

from difflib import unified_diff
from typing import Any

import yaml

_HIDDEN = "# a credential changes\n"


def difference(before: dict[str, Any] | None, after: dict[str, Any]) -> str:
    """The lines that differ, with some around them; empty if none does. Order of keys is none."""
    lines = unified_diff(_written(before), _written(after), "before", "after")
    return "".join(lines)


def told_difference(before: dict[str, Any] | None, after: dict[str, Any], *, changed: bool) -> str:
    """The same of manifests whose credentials are masked, where one of those may be all."""
    return difference(before, after) or (_HIDDEN if changed else "")


def _written(manifest: dict[str, Any] | None) -> list[str]:
    if manifest is None:
        return []
    text = yaml.safe_dump(manifest, sort_keys=True, allow_unicode=True, width=10_000)
    return text.splitlines(keepends=True)
