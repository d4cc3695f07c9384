"""Adding and changing an integration, in a form that is made from its plugin's JSON schema."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from console.corrections import CORRECTABLE, NOTHING, Corrections, corrections_of
from console.forms import Form, Sent
from console.integration_types import INHERITED, Type, catalogue, fields, type_of
from console.onward import onward
from console.parts import TheRuntime
from console.rendering import Show
from console.schema_fields import Field
from console.schema_values import changed, config_of, name_of, rows_of, values_of
from console.visitors import SignedIn
from core.errors import InvalidInput, KeyturnError, NotFound
from core.plugins import Family
from services.integrations import integration_editing
from services.integrations.integration_editing import Written
from services.integrations.integration_views import get_view, provider_accounts

router = APIRouter(prefix="/integrations")

_OWN = ("account", "name", "rate", "authorized_subjects")
_BLANK_ROWS = 3


@dataclass(frozen=True)
class Draft:
    """What somebody is writing: a new integration, or another one in place of what there is."""

    type: Type
    fields: tuple[Field, ...]
    values: Mapping[str, str]
    accounts: tuple[str, ...] = ()
    inherits: frozenset[str] = frozenset()
    integration_id: str = ""
    title: str = ""

    def value(self, name: str) -> str:
        return self.values.get(name, "")

    def rows(self, field: Field) -> list[tuple[str, str]]:
        """Those that are filled in, and some to fill."""
        return [*rows_of(field, self.values), *[("", "")] * _BLANK_ROWS]

    def is_inherited(self, field: Field) -> bool:
        """Whether the provider account has it, so that it may be left out here."""
        return field.key in self.inherits


@router.get("/new")
def choose(actor: SignedIn, show: Show) -> Response:
    """Which kinds there are, for whoever may add one."""
    if not any(actor.permits.scope("provider-account:update")):
        actor.demand_everywhere("provider-account:create")
    return show("integrations/choose.html", catalogue=catalogue())


@router.get("/new/{family}/{kind:path}")
def ask_new(family: str, kind: str, runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """The form of this kind, empty."""
    draft = _new(runtime, actor, family, kind, {})
    account = draft.accounts[0] if draft.accounts else ""
    values = {**values_of(draft.fields, {}), "account": account}
    return _form(show, _with(draft, values), NOTHING)


@router.post("/new/{family}/{kind:path}")
def create(
    family: str, kind: str, runtime: TheRuntime, actor: SignedIn, sent: Sent, show: Show
) -> Response:
    """It is stored, and checked; a store that does not answer is told on its page."""
    draft = _new(runtime, actor, family, kind, _sent(sent))
    try:
        item = {"type": draft.type.wire, "name": draft.value("name").strip(), **_item(draft, {})}
        account = draft.value("account").strip()
        row = integration_editing.add_integration(
            runtime, actor, draft.type.provider, account, item
        )
    except CORRECTABLE as error:
        return _form(show, draft, _wrong(error, draft))
    return onward(f"/integrations/{row.id}", "integration-added")


@router.get("/{integration_id}/edit")
def ask_edit(integration_id: str, runtime: TheRuntime, actor: SignedIn, show: Show) -> Response:
    """The form, as the integration is now; credentials as asterisks."""
    draft, written = _existing(runtime, actor, integration_id, {})
    values = {
        **values_of(draft.fields, written.item),
        "rate": str(written.item.get("rate") or ""),
        "authorized_subjects": "\n".join(written.item.get("authorized_subjects") or []),
        "tag": written.tag,
    }
    return _form(show, _with(draft, values), NOTHING)


@router.post("/{integration_id}/edit")
def edit(
    integration_id: str, runtime: TheRuntime, actor: SignedIn, sent: Sent, show: Show
) -> Response:
    """As the form has it; asterisks keep what is stored."""
    draft, written = _existing(runtime, actor, integration_id, _sent(sent))
    try:
        item = _item(draft, written.item)
        tag = draft.value("tag") or "gone"
        integration_editing.change_integration(runtime, actor, integration_id, item, tag=tag)
    except CORRECTABLE as error:
        return _form(show, draft, _wrong(error, draft))
    return onward(f"/integrations/{integration_id}", "integration-saved")


def _sent(sent: Form) -> dict[str, str]:
    return {name: sent.raw(name) for name in sent.names()}


def _with(draft: Draft, values: Mapping[str, str]) -> Draft:
    return Draft(**{**vars(draft), "values": values})


def _new(
    runtime: TheRuntime, actor: SignedIn, family: str, kind: str, values: Mapping[str, str]
) -> Draft:
    if family not in set(Family):
        raise NotFound("kind of integration", family)
    one = type_of(Family(family), kind)
    if one.problem:
        raise NotFound("kind of integration", f"{kind}: {one.problem}")
    accounts = provider_accounts(runtime, actor, one.provider)
    inherits = frozenset(INHERITED) & frozenset().union(*accounts.values()) if accounts else ()
    return Draft(one, fields(one), values, tuple(accounts), frozenset(inherits))


def _existing(
    runtime: TheRuntime, actor: SignedIn, integration_id: str, values: Mapping[str, str]
) -> tuple[Draft, Written]:
    view = get_view(runtime, actor, integration_id)
    written = integration_editing.read_integration(runtime, actor, integration_id)
    one = type_of(view.integration.family, view.integration.kind)
    inherits = frozenset(INHERITED) & set(written.account.manifest)
    draft = Draft(one, fields(one), values, (), inherits, integration_id, view.integration.name)
    return draft, written


def _item(draft: Draft, base: Mapping[str, Any]) -> dict[str, Any]:
    """The integration as its manifest is to have it; without what has no field here."""
    item = (
        changed(draft.fields, draft.values, base) if base else config_of(draft.fields, draft.values)
    )
    for name in ("rate", "authorized_subjects"):
        item.pop(name, None)
    if rate := draft.value("rate").strip():
        item["rate"] = _rate(rate)
    if subjects := draft.value("authorized_subjects").split():
        item["authorized_subjects"] = subjects
    return item


def _rate(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InvalidInput("rate", "give calls per second, more than 0") from None


def _wrong(error: KeyturnError, draft: Draft) -> Corrections:
    if isinstance(error, InvalidInput):
        name = name_of(draft.fields, draft.values, error.field)
        if name:
            return corrections_of(error, {name}, {error.field: name})
    subjects = draft.value("authorized_subjects").split()
    return corrections_of(error, _OWN, given={"authorized_subjects": subjects})


def _form(show: Show, draft: Draft, wrong: Corrections) -> Response:
    return show(
        "integrations/form.html",
        wrong.status,
        draft=draft,
        usual=[one for one in draft.fields if not one.is_rare],
        rare=[one for one in draft.fields if one.is_rare],
        wrong=wrong,
    )
