"""What the form of a virtual account offers to choose, with what it has chosen already.

A value that is not on offer (any more, or not to this person) stays, so that saving loses nothing.
"""

from collections.abc import Iterable, Sequence
from itertools import groupby

from console.account_form_rows import BUILT_IN_STORE
from services.accounts.account_options import Choice, Options

Pair = tuple[str, str]

_NOTHING: Pair = ("", "None")


def teams(options: Options, chosen: str) -> list[Pair]:
    return _keeping(
        [("", "The tenant"), *((name, f"Team {name}") for name in options.teams)], chosen
    )


def stores(options: Options, chosen: str) -> list[Pair]:
    built_in = (BUILT_IN_STORE, "Built-in secret groups")
    return _keeping([_NOTHING, *_integrations(options.stores), built_in], chosen)


def channels(options: Options, chosen: str) -> list[Pair]:
    return _keeping([_NOTHING, *_integrations(options.channels)], chosen)


def roles(options: Options, chosen: str) -> list[tuple[str, list[Pair]]]:
    """By the type of resource that they are on."""
    pairs = [
        (one.resource_type, (f"{one.resource_type}|{one.id}", one.id)) for one in options.roles
    ]
    kind, _, name = chosen.partition("|")
    if chosen and chosen not in {pair[0] for _, pair in pairs}:
        pairs.append((kind, (chosen, name)))
    pairs.sort(key=lambda one: (one[0] not in {"account", "tenant"}, one[0]))
    return [
        (kind, [pair for _, pair in members])
        for kind, members in groupby(pairs, key=lambda one: one[0])
    ]


def _integrations(choices: Sequence[Choice]) -> Iterable[Pair]:
    return ((one.fqn, f"{one.name} ({one.kind})") for one in choices)


def _keeping(pairs: list[Pair], chosen: str) -> list[Pair]:
    return pairs if chosen in {value for value, _ in pairs} else [*pairs, (chosen, chosen)]
