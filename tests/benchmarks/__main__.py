"""Measures each figure beside its limit, in one run, and writes docs/benchmarks.md."""

import os
import platform
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from tests.benchmarks import (
    at_rest,
    console,
    fan_out,
    idle,
    lists,
    mass_rotation,
    memory,
    rotations,
    verify,
)
from tests.support.postgres import Postgres
from tests.support.world import World, new_world

_PAGE = Path(__file__).parents[2] / "docs" / "benchmarks.md"
_console = Console(stderr=True)


@contextmanager
def _world() -> Iterator[World]:
    with (
        Postgres(own=True) as server,
        tempfile.TemporaryDirectory() as folder,
        new_world(server.create_database("bench"), Path(folder)) as world,
    ):
        yield world


def _in_world(measure: Callable[[World], dict[str, float]]) -> dict[str, float]:
    with _world() as world:
        return measure(world)


def _rotations() -> list[str]:
    found = _in_world(rotations.measure)
    copy, engine, naive = found.values()
    rows = [f"| {name} | {rate:,.0f} | {rate / copy:.2f} |" for name, rate in found.items()]
    return [
        "## Rotations",
        "",
        (
            f"{rotations.ROTATIONS:,} accounts in batches of {rotations.BATCH:,}, three deliveries "
            "each; best of three rounds. The hand-written COPY writes the same rows with tokens "
            "made beforehand and reads nothing."
        ),
        "",
        "| way | rotations/s | of COPY |",
        "|---|---:|---:|",
        *rows,
        "",
        (
            f"Goals: at least 0.50 of COPY (here {engine / copy:.2f}), at least 10 times one "
            f"transaction per account (here {engine / naive:.0f})."
        ),
    ]


def _fan_out() -> list[str]:
    found = _in_world(fan_out.measure)
    limit, drained = found.values()
    return [
        "## Fan-out",
        "",
        (
            f"{fan_out.DELIVERIES:,} deliveries to a plain HTTP store that takes 20 ms, "
            f"{fan_out.CONCURRENCY} at a time; from claim to settled row."
        ),
        "",
        "| | deliveries/s | of the limit |",
        "|---|---:|---:|",
        f"| concurrency / latency | {limit:,.0f} | 1.00 |",
        f"| one worker's drain | {drained:,.0f} | {drained / limit:.2f} |",
        "",
        f"Goal: at least 0.80 (here {drained / limit:.2f}).",
    ]


def _idle() -> list[str]:
    found = _in_world(idle.measure)
    few, many = found.values()
    return [
        "## A tick with nothing due",
        "",
        "Rotate, sweep, expire, tell, remind, pass on and chain, one by one; median of 200.",
        "",
        "| | ms |",
        "|---|---:|",
        *(f"| {name} | {cost:.2f} |" for name, cost in found.items()),
        "",
        f"Goal: within 2 times of each other (here {many / few:.2f}).",
    ]


def _at_rest() -> list[str]:
    found = at_rest.measure()
    return [
        "## From the due moment to the written sink, at rest",
        "",
        (
            "One worker, one beat, Redis, a tick of 1 s, a file sink; api, beat and worker are "
            "processes of their own."
        ),
        "",
        "| | s |",
        "|---|---:|",
        *(f"| {name} | {lag:.2f} |" for name, lag in found.items()),
        "",
        f"Goal: p99 under 1.5 s (here {found['p99']:.2f}).",
    ]


def _memory() -> list[str]:
    found = memory.measure()
    return [
        "## Memory of a worker",
        "",
        "| | MB resident |",
        "|---|---:|",
        *(f"| {name} | {size:.0f} |" for name, size in found.items()),
        "",
        f"Goal: under 150 MB (here {max(found.values()):.0f}).",
    ]


def _lists() -> list[str]:
    with _world() as world:
        found = lists.measure(world)
    worst = max(p99 for _, p99 in found.values())
    return [
        "## Lists of virtual accounts",
        "",
        (
            f"Pages of {lists.PAGE} among {lists.ACCOUNTS:,} accounts, through the HTTP API; one "
            "caller after the other, client and server in one process."
        ),
        "",
        "| | median ms | p99 ms |",
        "|---|---:|---:|",
        *(f"| {name} | {median:.1f} | {p99:.1f} |" for name, (median, p99) in found.items()),
        "",
        f"Goal: p99 under 50 ms (here {worst:.1f}).",
    ]


def _mass_rotation() -> list[str]:
    with _world() as world:
        found = mass_rotation.measure(world)
    worst = max(one.seconds / one.floor for one in found.values())
    return [
        "## A mass rotation",
        "",
        (
            f"{mass_rotation.ACCOUNTS:,} keys turned by hand into a store that answers 429 beyond "
            f"{mass_rotation.PER_SECOND} writes in any second; one worker, in simulated time, "
            "alone and beside a store at which every call times out."
        ),
        "",
        "| | s | least s | answers 429 |",
        "|---|---:|---:|---:|",
        *(
            f"| {name} | {one.seconds:.1f} | {one.floor:.1f} | {one.throttled} |"
            for name, one in found.items()
        ),
        "",
        f"Goal: at most 1.05 of the least time (here {worst:.2f}), and no 429.",
    ]


def _verify() -> list[str]:
    found = verify.measure()
    bare = next(iter(found.loads.values())).rate
    rows = [
        f"| {name} | {one.rate:,.0f} | {one.rate / bare:.2f} | {one.percentile(0.5):.1f} "
        f"| {one.percentile(0.99):.1f} |"
        for name, one in found.loads.items()
    ]
    warm = found.loads["verify, from memory"]
    seen = found.revocations
    return [
        "## Verify",
        "",
        (
            f"{verify.LIVE:,} live tokens; {verify.CONNECTIONS} connections that each ask, wait "
            "and ask again. Server and client have a core each; the best of three rounds. "
            f"{verify.COLD:,} tokens are asked about for the first time."
        ),
        "",
        "| | answers/s | of bare | median ms | p99 ms |",
        "|---|---:|---:|---:|---:|",
        *rows,
        "",
        (
            f"Goals: from memory at least 0.50 of bare (here {warm.rate / bare:.2f}), p99 under "
            f"5 ms (here {warm.percentile(0.99):.1f}; bare "
            f"{next(iter(found.loads.values())).percentile(0.99):.1f})."
        ),
        "",
        (
            f"{verify.REVOCATIONS} revocations, until each of {verify.PROCESSES} API processes "
            "refuses the token, all of them asked as fast as they answer meanwhile:"
        ),
        "",
        "| | s |",
        "|---|---:|",
        f"| median | {seen[len(seen) // 2]:.2f} |",
        f"| p99 | {seen[int(len(seen) * 0.99)]:.2f} |",
        f"| worst | {seen[-1]:.2f} |",
        "",
        f"Goal: within 1 s (here {seen[-1]:.2f}).",
    ]


def _pages() -> list[str]:
    with _world() as world:
        found, first_load = console.measure(world)
    worst = max(median for median, _ in found.values())
    return [
        "## Pages of the console",
        "",
        (
            f"{console.ACCOUNTS:,} accounts, {console.EVENTS:,} events, a tenth of them today, "
            f"each with a delivery and an audit row; {console.PEOPLE:,} people. One person "
            "after the other, client and server in one process."
        ),
        "",
        "| page | median ms | p99 ms |",
        "|---|---:|---:|",
        *(f"| {name} | {median:.1f} | {p99:.1f} |" for name, (median, p99) in found.items()),
        "",
        (
            f"Goals: under 100 ms (here {worst:.1f} in the median); a first visit loads under "
            f"150 kB (here {first_load / 1_000:.0f})."
        ),
    ]


_PARTS = {
    "rotations": _rotations,
    "fan-out": _fan_out,
    "mass-rotation": _mass_rotation,
    "idle": _idle,
    "lists": _lists,
    "console": _pages,
    "at-rest": _at_rest,
    "memory": _memory,
    "verify": _verify,
}


def main(wanted: list[str]) -> None:
    """All parts are written to the page; single ones, named on the command line, are printed."""
    lines = [
        "# Benchmarks",
        "",
        "Written by `make bench`; each figure stands beside its limit, measured in the same run.",
        (
            f"Python {platform.python_version()}, {os.cpu_count()} cores ({_processor()}), "
            f"{datetime.now(UTC):%Y-%m-%d}. PostgreSQL on the same cores, without fsync."
        ),
    ]
    for name, part in _PARTS.items():
        if not wanted or name in wanted:
            with _console.status(f"Measuring {name}"):
                lines += ["", *part()]
            _console.print(f"{name} is measured")
    if wanted:
        sys.stdout.write("\n".join(lines) + "\n")
    else:
        _PAGE.write_text("\n".join(lines) + "\n")
        _console.print(f"Written to {_PAGE}")


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


if __name__ == "__main__":
    main(sys.argv[1:])
