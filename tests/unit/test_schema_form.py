"""Every plugin's form: its fields are read from its schema, and its values go there and back."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.schema_fields import Field, Kind, fields_of, labelled
from console.schema_values import changed, config_of, name_of, values_of
from core.plugins import MASK, Family, kinds, load

ALL = [(family, kind) for family in Family for kind in kinds(family)]


def form(family: Family, kind: str) -> tuple[Field, ...]:
    return fields_of(load(family, kind).model_json_schema())


def every(fields: tuple[Field, ...]) -> list[Field]:
    found = []
    for one in fields:
        found += [one, *every(one.fields)]
        for branch in one.branches:
            found += every(branch.fields)
    return found


VAULT = form(Family.SINK, "hashicorp/vault")


@pytest.mark.parametrize(("family", "kind"), ALL)
def test_every_field_of_every_plugin_is_in_its_form_under_a_name_of_its_own(
    family: Family, kind: str
):
    fields = form(family, kind)
    names = [one.name for one in every(fields)]

    asked = load(family, kind).model_json_schema()["properties"]
    assert {one.key for one in fields} == set(asked)
    assert len(names) == len(set(names))
    assert all(one.label for one in every(fields))


@pytest.mark.parametrize(("family", "kind"), ALL)
def test_no_secret_of_any_plugin_is_written_in_the_clear(family: Family, kind: str):
    schema = str(load(family, kind).model_json_schema())

    secrets = {Kind.SECRET, Kind.SECRET_AREA, Kind.SECRET_PAIRS}
    found = sum(one.kind in secrets for one in every(form(family, kind)))

    assert found >= schema.count("'format': 'password'")


def test_several_ways_to_log_in_are_one_field_with_a_branch_for_each():
    login = next(one for one in VAULT if one.key == "auth_data")

    assert login.kind is Kind.UNION
    assert [one.word for one in login.branches] == ["token", "approle", "kubernetes", "jwt"]
    assert [one.name for one in login.branches[1].fields] == [
        "auth_data.approle.role_id",
        "auth_data.approle.secret_id",
        "auth_data.approle.role_path",
    ]
    assert login.branches[1].fields[1].kind is Kind.SECRET


def test_what_few_people_set_stands_apart():
    assert [one.key for one in VAULT if one.is_rare] == ["on_drift", "ca_bundle", "timeout"]


@pytest.mark.parametrize(
    ("key", "label"),
    [
        ("kms_arn", "KMS ARN"),
        ("vault_url", "Vault URL"),
        ("from_email", "From email"),
        ("secret_access_key", "Secret access key"),
        ("access-key-based", "Access key based"),
    ],
)
def test_a_key_reads_as_words(key: str, label: str):
    assert labelled(key) == label


def test_only_the_branch_that_is_chosen_counts():
    values = {
        "vault_url": " https://vault.example.com ",
        "kv_mount_path": "secret",
        "auth_data": "approle",
        "auth_data.token.token": "left over",
        "auth_data.approle.role_id": "role",
        "auth_data.approle.secret_id": " a secret ",
    }

    assert config_of(VAULT, values) == {
        "vault_url": "https://vault.example.com",
        "kv_mount_path": "secret",
        "auth_data": {"type": "approle", "role_id": "role", "secret_id": " a secret "},
    }


def test_an_error_is_about_the_field_of_the_chosen_branch():
    values = {"auth_data": "approle"}

    assert name_of(VAULT, values, "auth_data.secret_id") == "auth_data.approle.secret_id"
    assert name_of(VAULT, values, "auth_data") == "auth_data"
    assert name_of(VAULT, {}, "auth_data.secret_id") == "auth_data"
    assert name_of(VAULT, values, "nonsense") == ""


def test_numbers_switches_lines_and_pairs_are_read_as_what_they_are():
    github = form(Family.SINK, "github/actions-secret")
    gitlab = form(Family.SINK, "gitlab/ci-variable")
    aws = form(Family.SINK, "aws/secrets-manager")

    assert config_of(github, {"selected_repository_ids": "1\n\n 22 \nx", "timeout": "2.5"}) == {
        "selected_repository_ids": [1, 22, "x"],
        "timeout": 2.5,
    }
    assert config_of(gitlab, {"masked": "", "protected": "yes", "raw": "yes"}) == {
        "auth_data": {},
        "masked": False,
        "protected": True,
    }
    pairs = {"tags.0.name": "team", "tags.0.value": "x", "tags.1.name": "", "tags.1.value": "y"}
    assert config_of(aws, {**pairs, "recovery_window_days": "seven"}) == {
        "tags": {"team": "x"},
        "recovery_window_days": "seven",
    }


CONFIGS: list[tuple[Family, str, dict[str, Any]]] = [
    (
        Family.SINK,
        "hashicorp/vault",
        {
            "vault_url": "https://v.example.com",
            "kv_mount_path": "kv",
            "timeout": 5.0,
            "on_drift": "repair",
            "auth_data": {"role_id": "r", "secret_id": MASK, "type": "approle"},
        },
    ),
    (Family.SINK, "aws/secrets-manager", {"region": "eu-central-1", "tags": {"b": "1", "a": "2"}}),
    (
        Family.SINK,
        "custom/generic",
        {"base_url": "https://s.example.com", "auth_data": {"headers": {"X-Api-Key": MASK}}},
    ),
    (Family.NOTIFIER, "email", {"from_email": "a@example.com", "auth_data": {"host": "mail"}}),
]


@pytest.mark.parametrize(("family", "kind", "config"), CONFIGS)
def test_what_nobody_has_touched_stays_as_it_was_written(
    family: Family, kind: str, config: dict[str, Any]
):
    fields = form(family, kind)

    assert changed(fields, values_of(fields, config), config) == config


def test_what_was_changed_is_all_that_changes():
    config = CONFIGS[0][2]
    values = {**values_of(VAULT, config), "kv_mount_path": "other", "timeout": ""}

    assert changed(VAULT, values, config) == {
        **{key: value for key, value in config.items() if key != "timeout"},
        "kv_mount_path": "other",
    }


@given(st.dictionaries(st.sampled_from([one.name for one in every(VAULT)]), st.text(max_size=20)))
def test_whatever_is_sent_becomes_a_configuration(values: dict[str, str]):
    config = config_of(VAULT, values)

    assert set(config) <= set(load(Family.SINK, "hashicorp/vault").model_fields)
    again = config_of(VAULT, values_of(VAULT, config))
    assert again.keys() == config.keys()
