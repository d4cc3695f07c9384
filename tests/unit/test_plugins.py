from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Annotated, Any, ClassVar

import pytest
from pydantic import BaseModel, Field, SecretStr, ValidationError

from core import plugins
from core.errors import Misconfigured, PluginNotInstalled, PluginUnknown
from core.plugins import MASK, Family, Pace, Plugin, Ports, kinds, load
from notifiers.base import Notifier
from notifiers.console import ConsoleNotifier
from services.integrations.describing import PROVIDERS
from sinks.base import Sink
from sinks.file import FileSink

INSTALLED = [(family, kind) for family in Family for kind in kinds(family)]


class Login(BaseModel):
    user: str
    password: SecretStr


class Vault(Plugin):
    """A plugin with secrets at every depth."""

    kind: ClassVar[str] = "test/vault"
    provider: ClassVar[str] = "custom"
    title: ClassVar[str] = "A vault"

    address: str
    token: SecretStr | None = None
    login: Login | None = None
    logins: list[Login] = Field(default_factory=list)
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    tls_key: Annotated[SecretStr | None, Field(alias="tlsKey")] = None


def entry_point(value: str, name: str = "test/vault") -> EntryPoint:
    return EntryPoint(name=name, value=value, group="keyturn.sinks")


def test_a_kind_is_found_by_its_entry_point():
    assert load(Family.SINK, "custom/file") is FileSink
    assert load(Family.NOTIFIER, "console") is ConsoleNotifier


def test_kinds_are_listed_in_order():
    found = kinds(Family.SINK)

    assert "custom/file" in found
    assert found == sorted(found)


def test_an_unknown_kind_is_refused_with_the_kinds_there_are():
    with pytest.raises(PluginUnknown) as unknown:
        load(Family.SINK, "oracle/vault")

    known = ", ".join(kinds(Family.SINK))
    assert str(unknown.value) == (
        f"No secret-store plugin is called 'oracle/vault'; there are: {known}."
    )


def test_a_sinks_kind_is_no_notifiers_kind():
    with pytest.raises(PluginUnknown, match=r"there are: .*console"):
        load(Family.NOTIFIER, "custom/file")


def test_a_missing_client_library_is_answered_with_the_line_that_installs_it():
    with pytest.raises(PluginNotInstalled) as missing:
        plugins._load(entry_point("a_library_nobody_has.sink:Sink [vault]", "test/missing"))

    assert str(missing.value) == (
        "test/missing needs a client library that is not installed (a_library_nobody_has): "
        "pip install 'keyturn[vault]'."
    )


def test_a_plugin_that_names_no_extra_is_installed_with_all():
    with pytest.raises(PluginNotInstalled, match=r"pip install 'keyturn\[all\]'\.$"):
        plugins._load(entry_point("a_library_nobody_has.sink:Sink"))


@pytest.mark.parametrize("value", ["pathlib:Path", "core.plugins:MASK", "core.plugins:load"])
def test_an_entry_point_that_is_no_plugin_is_refused_by_name(value: str):
    with pytest.raises(Misconfigured) as refused:
        plugins._load(entry_point(value))

    assert str(refused.value) == f"The entry point test/vault ({value}) is not a Plugin class."


@pytest.mark.parametrize(("family", "kind"), INSTALLED)
def test_every_plugin_says_what_it_is(family: Family, kind: str):
    plugin = load(family, kind)

    assert (plugin.family, plugin.kind) == (family, kind)
    assert plugin.provider in PROVIDERS
    assert plugin.title
    assert issubclass(plugin, Sink if family is Family.SINK else Notifier)


@pytest.mark.parametrize(("family", "kind"), INSTALLED)
def test_every_plugins_form_is_a_json_schema(family: Family, kind: str):
    schema = load(family, kind).model_json_schema()

    assert schema["type"] == "object"
    assert schema["additionalProperties"] is False


@pytest.mark.law(9)
def test_what_is_masked_keeps_its_shape():
    given = {
        "address": "https://vault.example.com",
        "token": "hunter2",
        "login": {"user": "bot", "password": "hunter2"},
        "logins": [{"user": "a", "password": "hunter2"}, {"user": "b", "password": "hunter2"}],
        "headers": {"X-Api-Key": "hunter2"},
        "tlsKey": "hunter2",
    }

    shown = Vault.model_validate(given).masked(given)

    assert shown == {
        "address": "https://vault.example.com",
        "token": MASK,
        "login": {"user": "bot", "password": MASK},
        "logins": [{"user": "a", "password": MASK}, {"user": "b", "password": MASK}],
        "headers": {"X-Api-Key": MASK},
        "tlsKey": MASK,
    }


@pytest.mark.parametrize(
    "given",
    [
        {"address": "https://vault.example.com"},
        {"address": "https://vault.example.com", "token": None, "login": None},
        {"address": "https://vault.example.com", "logins": [], "headers": {}},
    ],
)
def test_what_was_not_given_is_not_added_by_the_mask(given: dict[str, Any]):
    assert Vault.model_validate(given).masked(given) == given


def test_the_mask_leaves_what_was_given_as_it_is():
    given = {"address": "x", "token": "hunter2"}

    Vault.model_validate(given).masked(given)

    assert given == {"address": "x", "token": "hunter2"}


@pytest.mark.law(9)
def test_a_plugin_shows_no_secret():
    plugin = Vault(address="x", token="hunter2", login={"user": "bot", "password": "hunter2"})

    assert "hunter2" not in f"{plugin!r} {plugin} {plugin.model_dump()} {plugin.model_dump_json()}"


@pytest.mark.law(9)
def test_a_wrong_configuration_is_refused_without_being_quoted():
    with pytest.raises(ValidationError) as refused:
        Vault.model_validate({"address": 1, "token": ["hunter2"], "password": "hunter2"})

    assert "hunter2" not in str(refused.value)


def test_a_field_that_a_plugin_does_not_have_is_refused():
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        FileSink(path="x")


def test_a_plugins_configuration_never_changes():
    with pytest.raises(ValidationError, match="frozen"):
        FileSink().root_path = "x"


def test_a_plugin_is_sent_to_without_a_published_limit_unless_it_says_otherwise():
    assert Vault(address="x").pace == Pace(
        per_second=None, cost=1.0, concurrency=8, send_limit=30.0
    )
    assert Vault(address="x").quota_key("") is None


def test_plugins_write_files_only_where_the_operator_allows_it(tmp_path: Path):
    assert Ports(file_root=tmp_path).own_folder() == tmp_path


def test_without_a_folder_of_the_operators_files_are_refused():
    with pytest.raises(Misconfigured, match="set KEYTURN_FILE_ROOT to a folder"):
        Ports().own_folder()
