"""Draws the picture in the README: what `make run` prints in its first eighty seconds."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

from tests.support.installation import KEYTURN
from tests.support.ports import free_port

_OUT = Path(__file__).parents[1] / "docs" / "pictures" / "demo.svg"
_SECONDS = 84


def main() -> None:
    """Runs the demo in a terminal of its own and keeps what it shows as an SVG."""
    with tempfile.TemporaryDirectory() as folder:
        shown = _shown(Path(folder))
    shown = shown.replace(folder, "~/.local/share/keyturn")
    shown = re.sub(r"tfy_inv_\w+", "tfy_inv_...", shown)
    console = Console(record=True, width=112, file=open(os.devnull, "w"))  # noqa: PTH123, SIM115
    console.print("[bold]$ make run[/]")
    for line in shown.splitlines():
        console.print(Text.from_ansi(line), soft_wrap=True)
    _OUT.parent.mkdir(parents=True, exist_ok=True)
    drawn = console.export_svg(title="Keyturn")
    # The font would be loaded from elsewhere; readers' own monospace font does as well.
    drawn = re.sub(r"@font-face \{.*?\}", "", drawn, flags=re.DOTALL)
    _OUT.write_text(drawn)
    sys.stdout.write(f"Drawn: {_OUT}\n")


def _shown(folder: Path) -> str:
    master, terminal = pty.openpty()
    process = subprocess.Popen(
        [KEYTURN, "up", "--demo", "--data-dir", str(folder), "--port", str(free_port())],
        stdout=terminal,
        stderr=terminal,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "112", "LINES": "50"},
    )
    os.close(terminal)
    until, shown = time.monotonic() + _SECONDS, b""
    while time.monotonic() < until:
        if select.select([master], [], [], 0.5)[0]:
            shown += os.read(master, 65_536)
    process.send_signal(signal.SIGTERM)
    process.wait(20)
    os.close(master)
    text = shown.decode(errors="replace").replace("\r\n", "\n")
    return re.sub(r"http://127\.0\.0\.1:\d+", "http://127.0.0.1:8400", text)


if __name__ == "__main__":
    main()
