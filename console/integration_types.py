"""Which kinds of integrations can be added, as people know them."""

from collections.abc import Iterable
from dataclasses import dataclass

from console.schema_fields import Field, fields_of
from core.errors import KeyturnError, NotFound
from core.plugins import Family, kinds, load

FAMILIES = {
    Family.SINK: "Secret stores",
    Family.NOTIFIER: "Notification channels",
}
_PROVIDERS = {
    "aws": "AWS",
    "azure": "Microsoft Azure",
    "gcp": "Google Cloud",
    "hashicorp": "HashiCorp",
    "ms-teams": "Microsoft Teams",
    "pagerduty": "PagerDuty",
    "slack": "Slack",
}
_OTHERS = "Others"
# Which field of a provider account its integrations inherit, if they do not say it themselves.
INHERITED = ("auth_data", "aws_account_id", "project_id")


@dataclass(frozen=True)
class Type:
    """One kind. With a `problem` it cannot be used here, and that says why."""

    family: Family
    kind: str
    provider: str = ""
    title: str = ""
    problem: str = ""

    @property
    def path(self) -> str:
        return f"/integrations/new/{self.family.value}/{self.kind}"

    @property
    def wire(self) -> str:
        """As a manifest writes it."""
        return f"integration/{self.family.value}/{self.kind}"


def type_of(family: Family, kind: str) -> Type:
    """The kind; NotFound if nobody can add it."""
    if kind not in kinds(family):
        raise NotFound("kind of integration", kind)
    found = _type(family, kind)
    if found is None:
        raise NotFound("kind of integration", kind)
    return found


def title_of(family: Family, kind: str) -> str:
    """What people call it; its own name where it is not installed any more."""
    try:
        return load(family, kind).title
    except KeyturnError:
        return kind


def fields(one: Type) -> tuple[Field, ...]:
    """The fields of its form."""
    return fields_of(load(one.family, one.kind).model_json_schema())


def catalogue() -> list[tuple[str, list[tuple[str, list[Type]]]]]:
    """All of them: by what they are for, then by who makes them."""
    return [(title, _by_provider(_types(family))) for family, title in FAMILIES.items()]


def _types(family: Family) -> Iterable[Type]:
    return (one for kind in kinds(family) if (one := _type(family, kind)))


def _type(family: Family, kind: str) -> Type | None:
    """None for what Keyturn makes by itself."""
    try:
        plugin = load(family, kind)
    except KeyturnError as error:
        return Type(family, kind, title=kind, problem=str(error))
    if plugin.built_in:
        return None
    return Type(family, kind, plugin.provider, plugin.title)


def _by_provider(types: Iterable[Type]) -> list[tuple[str, list[Type]]]:
    found: dict[str, list[Type]] = {}
    for one in types:
        found.setdefault(_PROVIDERS.get(one.provider, _OTHERS), []).append(one)
    order = sorted(found, key=lambda name: (name == _OTHERS, name))
    return [(name, sorted(found[name], key=lambda one: one.title)) for name in order]
