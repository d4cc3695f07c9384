"""Reading the manifest of a provider account: types, names, plugins, asterisks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field, StringConstraints, TypeAdapter

from core.errors import InvalidInput, PluginUnknown
from core.fields import check_name
from core.parsing import parse
from core.plugins import MASK, Family, Plugin, kinds, load
from core.secret_manifests import ACCOUNT, PROVIDER
from models import Tenant

PROVIDERS = (
    "aws",
    "azure",
    "custom",
    "gcp",
    "hashicorp",
    "ms-teams",
    "pagerduty",
    "slack",
)
# Fields of an integration that are Keyturn's, not its plugin's.
_OURS = {"type", "name", "authorized_subjects", "rate"}
# Fields of a provider account; in others a credential would be kept in the clear.
_OF_ACCOUNT = {
    "auth_data",
    "aws_account_id",
    "integrations",
    "name",
    "ownedBy",
    "project_id",
    "subscription_id",
    "type",
}
# Fields of a provider account that its integrations inherit where their plugin has them.
_INHERITED = ("auth_data", "aws_account_id", "owned_by", "project_id")
_Subjects = Annotated[
    list[Annotated[str, StringConstraints(pattern=r"^(user|team|virtualaccount):[^\s]{1,320}$")]],
    Field(max_length=500),
]
_SHOWN = {"type", "access_key_id", "assumed_role_arn", "external_id", "username"}


@dataclass(frozen=True)
class Described:
    """One integration of a manifest, validated."""

    family: Family
    kind: str
    name: str
    fqn: str
    config: dict[str, Any]
    plugin: Plugin
    rate: float | None
    authorized_subjects: list[str]


def headings(spelled: dict[str, Any]) -> tuple[str, str]:
    """The provider and the name of the account; InvalidInput says what is allowed."""
    provider = str(spelled.get("type", "")).removeprefix("provider-account/")
    if provider not in PROVIDERS:
        allowed = ", ".join(f"provider-account/{known}" for known in PROVIDERS)
        raise InvalidInput("type", f"give one of {allowed}")
    if not isinstance(spelled.get("integrations", []), list):
        raise InvalidInput("integrations", "give a list")
    if not isinstance(spelled.get("auth_data", {}), dict):
        raise InvalidInput("auth_data", "give an object with type and credentials")
    for unknown in sorted(spelled.keys() - _OF_ACCOUNT):
        raise InvalidInput(unknown, f"give one of {', '.join(sorted(_OF_ACCOUNT))}")
    name = _name(spelled, "name")
    if (provider, name) == (PROVIDER, ACCOUNT):
        raise InvalidInput("name", "this is the account of Keyturn's own secret store")
    return provider, name


def describe(
    tenant: Tenant, provider: str, account_name: str, full: dict[str, Any]
) -> list[Described]:
    """Every integration of the manifest, validated by its plugin."""
    described = []
    seen: set[str] = set()
    for number, item in enumerate(full.get("integrations") or []):
        where = f"integrations.{number}"
        if not isinstance(item, dict):
            raise InvalidInput(where, "give an object with type and name")
        family, kind = _kind(item, where)
        name = _name(item, f"{where}.name")
        plugin_type = _load(family, kind, where)
        if plugin_type.built_in:
            raise InvalidInput(f"{where}.type", "every tenant has this one already")
        if plugin_type.provider != provider:
            raise InvalidInput(
                f"{where}.type", f"this type belongs under provider-account/{plugin_type.provider}"
            )
        config = {key: value for key, value in item.items() if key not in _OURS}
        for key in _INHERITED:
            if key in full and key not in config and key in plugin_type.model_fields:
                config[key] = full[key]
        adapter: TypeAdapter[Plugin] = TypeAdapter(plugin_type)
        plugin = parse(adapter, config, below=f"{where}.")
        fqn = f"{tenant.name}:{provider}:{account_name}:{family.value}:{name}"
        if fqn in seen:
            raise InvalidInput(f"{where}.name", "two integrations have this name")
        seen.add(fqn)
        rate = parse(TypeAdapter(float | None), item.get("rate"), below=f"{where}.rate")
        if rate is not None and not 0 < rate <= 10_000:  # noqa: PLR2004
            raise InvalidInput(f"{where}.rate", "give calls per second, more than 0")
        subjects = parse(
            TypeAdapter(_Subjects),
            item.get("authorized_subjects") or [],
            below=f"{where}.authorized_subjects.",
        )
        described.append(Described(family, kind, name, fqn, config, plugin, rate, subjects))
    return described


def _kind(item: dict[str, Any], where: str) -> tuple[Family, str]:
    parts = str(item.get("type", "")).split("/", 2)
    if len(parts) == 3 and parts[0] == "integration" and parts[1] in set(Family):  # noqa: PLR2004
        return Family(parts[1]), parts[2]
    raise InvalidInput(
        f"{where}.type",
        "give integration/secret-store/<kind> or integration/notification-channel/<kind>",
    )


def _load(family: Family, kind: str, where: str) -> type[Plugin]:
    try:
        return load(family, kind)
    except PluginUnknown:
        types = ", ".join(f"integration/{family}/{known}" for known in kinds(family))
        raise InvalidInput(f"{where}.type", f"give one of {types}") from None


def _name(item: dict[str, Any], where: str) -> str:
    try:
        return check_name(str(item.get("name", "")))
    except ValueError as error:
        raise InvalidInput(where, str(error)) from None


def masked(spelled: dict[str, Any], described: Sequence[Described]) -> dict[str, Any]:
    """The manifest as it may be shown and kept in the clear."""
    shown = dict(spelled)
    if isinstance(shown.get("auth_data"), dict):
        shown["auth_data"] = {
            key: value if key in _SHOWN else MASK for key, value in shown["auth_data"].items()
        }
    shown["integrations"] = [
        {key: value for key, value in item.items() if key in _OURS}
        | one.plugin.masked({key: value for key, value in item.items() if key not in _OURS})
        for item, one in zip(spelled.get("integrations") or [], described, strict=True)
    ]
    return shown
