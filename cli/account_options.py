"""Options and files of `keyturn accounts create`, as a manifest has them."""

import json
import sys
from pathlib import Path
from typing import Any

from core.errors import InvalidInput


def rotation_options(rotate: dict[str, str | None], stores: list[str]) -> dict[str, str]:
    """Which option gave which part of the manifest."""
    given = {name: f"--{name}" for name, value in rotate.items() if value}
    options = {f"auto_rotate.{name}": option for name, option in given.items()}
    if given:
        options["auto_rotate"] = ", ".join(given.values())
    options |= {f"secret_store_configs.{n}": f"--store {text}" for n, text in enumerate(stores)}
    return options


def store_of(text: str) -> dict[str, str]:
    fqn, found, path = text.partition("=")
    if not found:
        raise InvalidInput("--store", "give INTEGRATION_FQN=PATH")
    return {"type": "secret-store", "integration_fqn": fqn, "secret_path": path}


def read_manifest(path: Path) -> dict[str, Any]:
    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text()
        given = json.loads(text)
    except OSError as error:
        raise InvalidInput("--manifest", f"cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise InvalidInput("--manifest", "is not JSON") from None
    if not isinstance(given, dict):
        raise InvalidInput("--manifest", "is not a JSON object")
    return given
