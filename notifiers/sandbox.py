"""The sandbox that texts are rendered in: a small part of Jinja, counted step by step.

What a rendering costs is the rounds of its loops and what it writes, and both have an end; the
grammar lets nothing else grow.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, cast
from urllib.parse import quote

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, Undefined, pass_context
from jinja2.exceptions import TemplateRuntimeError
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

from core.errors import Misconfigured
from notifiers.grammar import COUNTED, FILTERS, TESTS, count_loops, objections

MOST_SOURCE = 65_536  # bytes
MOST_STEPS = 100_000
MOST_WRITTEN = 262_144  # characters
_LONGEST_ENCODED = 2_000

_BUDGET = "_budget"
_OF_A_LOOP = {"first", "last", "index", "index0", "length", "revindex", "revindex0"}


class TextRefused(Misconfigured):
    """A text of the operator's cannot be used."""

    code = "text_refused"


class Budget:
    """What one rendering may cost."""

    def __init__(self) -> None:
        self._steps = MOST_STEPS
        self._written = MOST_WRITTEN

    def step(self, weight: int) -> None:
        self._steps -= weight
        if self._steps < 0:
            raise TemplateRuntimeError(f"it takes more than {MOST_STEPS} steps")

    def write(self, pieces: Iterable[str]) -> str:
        """All of it in one piece."""
        kept = []
        for piece in pieces:
            self._written -= len(piece)
            if self._written < 0:
                raise TemplateRuntimeError(f"it writes more than {MOST_WRITTEN} characters")
            kept.append(piece)
        return "".join(kept)


class Compiled:
    """A template that was looked through. `name` is what errors call it."""

    def __init__(self, source: str, name: str, *, variables: Collection[str]) -> None:
        """TextRefused names the file and the line of what is not allowed."""
        self._name = name
        if len(source.encode()) > MOST_SOURCE:
            raise TextRefused(f"{name}: it is longer than {MOST_SOURCE} bytes")
        environment = _environment(html=".html" in name)
        failure: TextRefused
        try:
            tree = environment.parse(source, name)
            for line, why in objections(tree, variables):
                raise TextRefused(f"{name}:{line}: {why}")
            count_loops(tree)
            code = environment.compile(tree, name, name)
        except TemplateSyntaxError as error:
            failure = TextRefused(f"{name}:{error.lineno}: {error.message}")
        except RecursionError:
            failure = TextRefused(f"{name}: it is nested too deeply")
        else:
            self._template = Template.from_code(environment, code, {})
            return
        raise failure

    @property
    def blocks(self) -> Collection[str]:
        return self._template.blocks.keys()

    def render(self, values: Mapping[str, Any], block: str | None = None) -> str:
        """The whole text, or one block of it; TextRefused if the values do not go with it."""
        budget = Budget()
        context = self._template.new_context({**values, _BUDGET: budget})
        write = self._template.blocks[block] if block else self._template.root_render_func
        failure: TextRefused
        try:
            return budget.write(write(context))
        except Exception as error:  # noqa: BLE001 - whatever a template brings about
            said = str(error) if isinstance(error, TemplateRuntimeError) else type(error).__name__
            failure = TextRefused(f"{self._name}:{self._line(error)}: {said}")
        raise failure

    def _line(self, error: Exception) -> int:
        """The last line of the template that was reached."""
        line, trace = 1, error.__traceback__
        while trace is not None:
            if trace.tb_frame.f_globals.get("__jinja_template__") is self._template:
                line = self._template.get_corresponding_lineno(trace.tb_lineno)
            trace = trace.tb_next
        return line


class _Environment(ImmutableSandboxedEnvironment):
    """Reaches into mappings, lists and a loop's counters, and into nothing else."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, LoopContext) and argument in _OF_A_LOOP:
            return getattr(obj, argument)
        try:
            if isinstance(obj, Mapping | list | tuple):
                return cast("Any", obj)[argument]
        except (LookupError, TypeError):
            pass
        return self.undefined(f"there is no {argument!r} in it")


def _environment(*, html: bool) -> ImmutableSandboxedEnvironment:
    """One for pages, in which every value is escaped, or one for plain text."""
    made = _Environment(
        autoescape=html,
        undefined=StrictUndefined,
        finalize=_text,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    made.globals = {}
    made.filters = {name: made.filters[name] for name in FILTERS}
    made.filters |= {"urlencode": _urlencoded, COUNTED: _counted}
    made.tests = {name: made.tests[name] for name in TESTS}
    return made


@pass_context
def _counted(context: Context, items: Any, weight: int) -> Iterator[Any]:
    """`items` one by one, each at its price."""
    budget = context.resolve(_BUDGET)
    for item in items:
        budget.step(weight)
        yield item


def _urlencoded(value: Any) -> str:
    """The one filter that makes a text longer, for texts of no great length."""
    text = str(value)
    if len(text) > _LONGEST_ENCODED:
        raise TemplateRuntimeError(f"urlencode takes at most {_LONGEST_ENCODED} characters")
    return quote(text, safe="")


def _text(value: Any) -> Any:
    if isinstance(value, Undefined):
        return str(value)  # which raises, and says what there is not
    if not isinstance(value, str | int):
        raise TemplateRuntimeError("only text and numbers can be written")
    return value
