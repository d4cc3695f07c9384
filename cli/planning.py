"""keyturn plan, and keyturn accounts rotate --all: what rotates when, and how long it takes."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer
from rich.progress import Progress

from cli.output import REFUSED, as_json, asked, err, said, table, warned
from cli.output import reported as reporting
from cli.session import AsJson, DataDir, TenantName, operator, runtime_for, settings_with
from core.actors import Actor
from core.durations import write_duration
from core.errors import InvalidInput
from services.accounts.account_filters import Narrowing
from services.engine import mass_rotation, plan
from services.engine.floors import Floor
from services.runtime import Runtime


def plan_(
    days: Annotated[int, typer.Option(min=1, max=3_650, help="How far to look ahead.")] = 30,
    data_dir: DataDir = None,
    tenant: TenantName = None,
    json_: AsJson = False,
) -> None:
    """What will rotate when, and the least time each destination needs for all its copies."""
    with reporting(), runtime_for(settings_with(data_dir=data_dir)) as runtime:
        actor = operator(runtime, tenant)
        total = plan.count_scheduled(runtime, actor)
        made = plan.Plan(until=runtime.now())
        with progress(json_) as bars:
            bar = bars.add_task("Reading accounts", total=total)
            for grown in plan.make_plan(runtime, actor, days=days):
                made = grown
                bars.advance(bar, plan.PAGE)
        if json_:
            as_json(
                {
                    "until": made.until,
                    "total": made.total,
                    "by_day": {str(day): n for day, n in sorted(made.by_day.items())},
                    "first": [vars(coming) for coming in made.first],
                    "floors": [vars(floor) for floor in made.floors],
                }
            )
            return
        said(f"{made.total} rotations until {made.until:%Y-%m-%d %H:%MZ}")
        busiest = max(made.by_day.values(), default=1)
        table(
            "By day",
            ("day", "rotations", ""),
            [(d, n, "█" * max(round(30 * n / busiest), 1)) for d, n in sorted(made.by_day.items())],
        )
        table(
            "The first ones",
            ("when", "account"),
            [(f"{coming.at:%Y-%m-%d %H:%M:%SZ}", coming.account) for coming in made.first],
        )
        _show("If every copy were written at once", made.floors)


def rotate_all(
    runtime: Runtime,
    actor: Actor,
    *,
    search: str,
    before: str | None,
    yes: bool,
    json_: bool,
) -> None:
    """Says what turning all these keys means, asks, and turns them in batches."""
    narrowing = Narrowing(search=search)
    ahead = mass_rotation.look_ahead(runtime, actor, narrowing, before=_moment(before))
    for warning in _warnings(ahead):
        warned(warning)
    if not json_:
        _show(f"{ahead.accounts} accounts", ahead.floors)
    least = f"at least {_length(ahead.seconds)}" if ahead.seconds else "no limit's time"
    if not yes and ahead.accounts:
        asked(f"Turn the keys of {ahead.accounts} accounts? Their stores need {least}.")
    turned, failed = 0, list[str]()
    with progress(json_) as bars:
        bar = bars.add_task("Turning keys", total=ahead.accounts)
        for done in mass_rotation.turn_all(runtime, actor, narrowing, before=ahead.before):
            turned += done.turned
            failed += done.failed
            bars.advance(bar, done.turned + len(done.failed))
    if json_:
        as_json(
            {
                "before": ahead.before,
                "turned": turned,
                "failed": failed,
                "seconds": ahead.seconds,
                "floors": [vars(floor) for floor in ahead.floors],
            }
        )
    else:
        said(f"{turned} keys turned; their stores need {least}.")
    for name in failed:
        warned(f"{name} could not be turned: the log says why.")
    if failed:
        raise typer.Exit(REFUSED)


def progress(quiet: bool) -> Progress:
    """A bar on stderr, where somebody watches."""
    return Progress(console=err, transient=True, disable=quiet or not err.is_terminal)


def _warnings(ahead: mass_rotation.Ahead) -> list[str]:
    found = []
    if ahead.unkept:
        found.append(
            f"{ahead.unkept} of them are kept in no store: whoever uses these has to fetch the "
            "new token before the old one ends."
        )
    if ahead.short_graces:
        found.append(
            f"{ahead.short_graces} of them have a grace of less than twice what the stores need: "
            "their old tokens may have to be held."
        )
    return found


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise InvalidInput("--before", "give a moment like 2026-03-02T09:00:00Z")
    return moment


def _show(title: str, floors: Sequence[Floor]) -> None:
    rows: list[tuple[Any, ...]] = [
        (
            ", ".join(floor.integrations),
            floor.copies,
            floor.unwritten,
            "none" if floor.per_second is None else f"{floor.per_second:g} a second",
            "-" if floor.per_second is None else _length(floor.seconds),
        )
        for floor in floors
    ]
    columns = ("destination", "copies", "of them new", "published limit", "takes at least")
    table(title, columns, rows)


def _length(seconds: float) -> str:
    return write_duration(timedelta(seconds=max(round(seconds), 1)))
