"""The page docs/settings.md, made from the settings themselves."""

from datetime import timedelta
from pathlib import Path

from pydantic.fields import FieldInfo

from core.durations import write_duration
from core.settings import Settings

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"

_HEAD = """\
# Settings

Every setting is an environment variable, read once when a process starts. A process never
changes its settings; restart it. Durations are written like `90s`, `12h`, `7d`, `1d12h` or
`P45D`. This page is made from `core/settings.py`; a test compares the two, and
`KEYTURN_WRITE_DOCS=1 .venv/bin/pytest tests/unit/test_settings.py` writes it anew.

| variable | default | what it does |
|---|---|---|
"""


def page() -> str:
    """The whole page."""
    return _HEAD + "".join(_row(name, field) for name, field in Settings.model_fields.items())


def _row(name: str, field: FieldInfo) -> str:
    return f"| `KEYTURN_{name.upper()}` | {_default(field)} | {field.description} |\n"


def _default(field: FieldInfo) -> str:
    if field.default_factory is not None:  # the data folder is the only one that is computed
        return "`$XDG_DATA_HOME/keyturn`, or `~/.local/share/keyturn`"
    if field.default is None or field.default == ():
        return "unset"
    if isinstance(field.default, timedelta):
        return f"`{write_duration(field.default)}`"
    if isinstance(field.default, bool):
        return f"`{str(field.default).lower()}`"
    return f"`{field.default}`"
