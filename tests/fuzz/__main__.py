"""atheris over every target: `python -m tests.fuzz [SECONDS]`, each in a process of its own."""

import re
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

import atheris

_IS_ONE = len(sys.argv) > 2
_WATCHED = ["api", "core", "jwt"]

with atheris.instrument_imports(include=_WATCHED) if _IS_ONE else nullcontext():
    from tests.fuzz.targets import SEEDS, TARGETS

_LONGEST = 4_096  # bytes of an input
_USUAL = 20  # seconds
_LAST_WORDS = 6_000  # characters of what broke


def fuzz(name: str, seconds: str) -> None:
    """One target until the time is up; libFuzzer ends the process."""
    with tempfile.TemporaryDirectory() as folder:
        for number, seed in enumerate(SEEDS[name]):
            (Path(folder) / f"seed-{number}").write_bytes(seed)
        found = Path(folder) / "found-"
        options = [f"-max_total_time={seconds}", f"-max_len={_LONGEST}", "-verbosity=0"]
        atheris.Setup(
            [sys.argv[0], *options, f"-artifact_prefix={found}", "-print_final_stats=1", folder],
            TARGETS[name],
        )
        atheris.Fuzz()


def main(seconds: str) -> int:
    """All targets; 1 if one of them broke."""
    broken = []
    for name in TARGETS:
        command = [sys.executable, "-m", "tests.fuzz", name, seconds]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        units = re.search(r"number_of_executed_units: (\d+)", done.stderr)
        sys.stdout.write(f"{name}: {int(units[1]) if units else 0:,} inputs\n")
        sys.stdout.flush()
        if done.returncode:
            broken.append(name)
            sys.stdout.write((done.stdout + done.stderr)[-_LAST_WORDS:])
    sys.stdout.write(f"broken: {', '.join(broken) or 'none'}\n")
    return 1 if broken else 0


if __name__ == "__main__":
    if _IS_ONE:
        fuzz(sys.argv[1], sys.argv[2])
    else:
        raise SystemExit(main(sys.argv[1] if sys.argv[1:] else str(_USUAL)))
