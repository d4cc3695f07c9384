"""The part of Jinja that texts are written in: looked through before a template is compiled.

Values are shown, compared, gone through and shortened. Nothing is called or imported, nothing
private is reached, and no two values become one, so that no text grows but by what it writes.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Any

from jinja2 import nodes

COUNTED = "_counted"
"""The filter through which every loop gets its items, with the weight of its body."""

FILTERS = frozenset(
    {
        *("capitalize", "count", "d", "default", "e", "escape", "first", "last", "length"),
        *("lower", "title", "trim", "truncate", "upper", "urlencode"),
    }
)
TESTS = frozenset({"defined", "undefined", "none", "equalto", "eq", "ne", "in"})

_NODES: tuple[type[nodes.Node], ...] = (
    *(nodes.Template, nodes.Output, nodes.TemplateData, nodes.Block, nodes.If, nodes.For),
    *(nodes.Assign, nodes.Name, nodes.Const, nodes.List, nodes.Tuple, nodes.Dict, nodes.Pair),
    *(nodes.Getattr, nodes.Getitem, nodes.Filter, nodes.Test, nodes.Keyword, nodes.CondExpr),
    *(nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not),
)


@dataclass(frozen=True)
class Names:
    """What a text may name: what it is given, and what it names itself."""

    given: Collection[str]
    own: Collection[str]


def objections(tree: nodes.Template, given: Collection[str]) -> Iterable[tuple[int, str]]:
    """The line and the reason of everything that is not allowed in a text."""
    own = {node.name for node in tree.find_all(nodes.Name) if node.ctx == "store"}
    names = Names(given, own)
    for node in tree.find_all(nodes.Node):
        if not isinstance(node, _NODES):
            yield node.lineno or 1, f"{type(node).__name__.lower()} is not allowed here"
        elif (look := _LOOKS.get(type(node))) and (why := look(node, names)):
            yield node.lineno, why


def count_loops(tree: nodes.Template) -> None:
    """From now on every round of a loop costs as much as there is in it."""
    for loop in list(tree.find_all(nodes.For)):
        weight = nodes.Const(1 + sum(1 for _ in loop.find_all(nodes.Node)))
        loop.iter = nodes.Filter(loop.iter, COUNTED, [weight], [], None, None, lineno=loop.lineno)


def _name(node: nodes.Name, names: Names) -> str:
    if node.ctx == "store":
        taken = node.name in names.given or node.name == "loop" or node.name.startswith("_")
        return f"{node.name} is not free as a name" if taken else ""
    if node.name in names.given or node.name in names.own or node.name == "loop":
        return ""
    return f"there is no {node.name}; there are {_listed(names.given)}"


def _filter(node: nodes.Filter, _: Names) -> str:
    if node.name in FILTERS and node.node is not None:
        return ""
    return f"the filter {node.name} is not allowed; allowed are {_listed(FILTERS)}"


def _test(node: nodes.Test, _: Names) -> str:
    if node.name in TESTS:
        return ""
    return f"the test {node.name} is not allowed; allowed are {_listed(TESTS)}"


def _attribute(node: nodes.Getattr, _: Names) -> str:
    return f"{node.attr} is private" if node.attr.startswith("_") else ""


def _loop(node: nodes.For, _: Names) -> str:
    return "a loop that calls itself is not allowed" if node.recursive else ""


def _list(node: nodes.List | nodes.Tuple, _: Names) -> str:
    if isinstance(node, nodes.Tuple) and node.ctx == "store":
        return ""
    return _fixed(node.items)


def _mapping(node: nodes.Dict, _: Names) -> str:
    return _fixed(pair.value for pair in node.items)


def _fixed(items: Iterable[nodes.Node]) -> str:
    fixed = all(isinstance(item, nodes.Const) for item in items)
    return "" if fixed else "a list may hold fixed values only"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


_LOOKS: dict[type[nodes.Node], Callable[[Any, Names], str]] = {
    nodes.Name: _name,
    nodes.Filter: _filter,
    nodes.Test: _test,
    nodes.Getattr: _attribute,
    nodes.For: _loop,
    nodes.List: _list,
    nodes.Tuple: _list,
    nodes.Dict: _mapping,
}
