"""YAML as JSON means it."""

import re
from typing import Any

import yaml

from core.errors import InvalidInput

_MERGE = "tag:yaml.org,2002:merge"


class StrictLoader(yaml.SafeLoader):
    """A date stays the text it is, `no` is a word, keys are unique."""

    yaml_implicit_resolvers: dict[str, list[Any]] = {}  # noqa: RUF012 - the base's own

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            if key_node.tag == _MERGE:
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, str):
                raise yaml.constructor.ConstructorError(
                    problem="a key is not text", problem_mark=key_node.start_mark
                )
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    problem="a key stands here twice", problem_mark=key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


for _tag, _pattern, _first in (
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", list("tTfF")),
    ("int", r"^[-+]?(?:0|[1-9][0-9]*)$", list("-+0123456789")),
    ("float", r"^[-+]?[0-9]+\.[0-9]*(?:[eE][-+]?[0-9]+)?$", list("-+0123456789")),
    ("merge", r"^<<$", ["<"]),
):
    StrictLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), _first)


class FlatLoader(StrictLoader):
    """Nothing stands for what stands elsewhere: a short text does not become a long one."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.composer.ComposerError(
                problem="aliases are not taken",
                problem_mark=self.peek_event().start_mark,  # type: ignore[no-untyped-call]
            )
        return super().compose_node(parent, index)


def read_manifest(text: str, field: str) -> dict[str, Any]:
    """The one manifest in this text; InvalidInput says in which line it is not YAML."""
    try:
        document = yaml.load(text, FlatLoader)  # noqa: S506 - a loader that makes plain values alone
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}: " if mark else ""
        raise InvalidInput(field, f"{where}{error.problem or 'this is not YAML'}") from None
    except (yaml.YAMLError, RecursionError, ValueError):
        raise InvalidInput(field, "this is not YAML") from None
    if not isinstance(document, dict):
        raise InvalidInput(field, "give one manifest, with a name and a value on each line")
    return document
