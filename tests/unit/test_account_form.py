import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.account_form import fields_of, manifest_of
from console.fields import field_of
from core.errors import Conflict, InvalidInput
from core.strict_yaml import read_manifest

FULL = {
    "type": "virtual-account",
    "name": "ci-bot",
    "ownedBy": {"account": "acme", "team": "platform"},
    "tags": {"env": "production", "cost": 4711},
    "expiration_date": "2027-01-31",
    "token_type": "jwt",
    "auto_rotate": {"auto_rotate_interval": 90, "grace_period": 7},
    "secret_store_config": {
        "type": "secret-store",
        "integration_fqn": "acme:custom:own:secret-store:files",
        "secret_path": "ci/token",
        "form": "json",
        "fields": {"KEY": "token"},
    },
    "notification_targets": [
        {"type": "email", "notification_channel": "mail", "to_emails": ["a@b.example"]},
        {"type": "console", "notification_channel": "box"},
    ],
    "permissions": [
        {"resource_fqn": "acme", "resource_type": "account", "role_id": "account-viewer"}
    ],
}
BARE = {"type": "virtual-account", "name": "ci-bot"}


def changed(base: dict, **fields: str) -> dict:
    """What comes of the form where these fields are written over."""
    given_fields = fields_of(base) | {name.replace("__", "."): v for name, v in fields.items()}
    return manifest_of(given_fields, base)


def test_what_is_not_touched_stays_as_it_was_written():
    assert manifest_of(fields_of(FULL), FULL) == FULL
    assert manifest_of(fields_of(BARE), BARE) == BARE


def test_one_section_is_changed_and_the_others_keep_their_spelling():
    made = changed(FULL, grace="3d")

    assert made["auto_rotate"] == {"interval": "90d", "grace": "3d"}
    assert {**made, "auto_rotate": 0} == {**FULL, "auto_rotate": 0}


def test_what_has_no_field_of_its_own_goes_along():
    made = changed(FULL, stores__0__path="ci/other")

    (store,) = made["secret_store_configs"]
    assert "secret_store_config" not in made
    assert store["secret_path"] == "ci/other"
    assert store["fields"] == {"KEY": "token"}


def test_a_part_that_is_emptied_is_left_out():
    made = changed(
        FULL,
        rhythm="never",
        stores__0__integration="",
        targets__0__channel="",
        targets__1__channel="",
        tags="",
        team="",
        expiration_date="",
        token_type="opaque",
    )

    assert made == {**BARE, "permissions": FULL["permissions"]}


def test_permissions_that_are_taken_away_are_said_to_be_none():
    assert changed(FULL, permissions__0__role="")["permissions"] == []


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"rhythm": "interval", "interval": "12h"}, {"interval": "12h"}),
        (
            {"rhythm": "schedule", "schedule": "0 3 * * MON", "timezone": "Europe/Berlin"},
            {"schedule": "0 3 * * MON", "timezone": "Europe/Berlin"},
        ),
        (
            {"rhythm": "interval", "interval": "1d", "grace": "2h", "ack": "yes"},
            {"interval": "1d", "grace": "2h", "ack_ends_grace": True},
        ),
    ],
)
def test_a_rhythm_is_written_as_a_manifest_has_it(fields, expected):
    assert changed(BARE, **fields)["auto_rotate"] == expected


def test_a_store_is_written_as_a_manifest_has_it():
    row = {"integration": "fqn", "path": "ci/token", "key": "token", "required": "", "form": "bare"}

    made = changed(BARE, **{f"stores__0__{name}": value for name, value in row.items()})

    assert made["secret_store_configs"] == [
        {
            "type": "secret-store",
            "integration_fqn": "fqn",
            "secret_path": "ci/token",
            "key": "token",
            "required": False,
        }
    ]


def test_an_address_goes_where_its_kind_of_channel_has_it():
    made = changed(
        BARE,
        targets__0__channel="mail",
        targets__0__type="email",
        targets__0__to="a@b.example, c@d.example",
        targets__1__channel="chat",
        targets__1__type="slack-bot",
        targets__1__to="#ops",
    )

    mail, chat = made["notification_targets"]
    assert mail["to_emails"] == ["a@b.example", "c@d.example"]
    assert chat["channels"] == ["#ops"]


def test_a_line_that_is_no_tag_is_refused_beside_its_field():
    with pytest.raises(InvalidInput) as refused:
        changed(BARE, tags="env production")

    assert field_of(refused.value, False) == ("tags", str(refused.value).removeprefix("tags: "))


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ("name", "name"),
        ("ownedBy.team", "team"),
        ("auto_rotate.grace", "grace"),
        ("auto_rotate.interval", "interval"),
        ("secret_store_configs.2.secret_path", "stores.2.path"),
        ("secret_store_config.integration_fqn", "stores.0.integration"),
        ("secret_store_configs.1.key", "stores.1.key"),
        ("notification_targets.1.to_emails.0", "targets.1.to"),
        ("notification_target.notification_channel", "targets.0.channel"),
        ("permissions", "permissions.0.role"),
        ("permissions.3.resource_fqn", "permissions.3.resource"),
        ("identity_provider_mapping.0", "mappings.0.value"),
    ],
)
def test_an_error_is_told_beside_the_field_that_it_is_about(said, field):
    assert field_of(InvalidInput(said, "words"), False) == (field, "words")


def test_an_error_about_no_field_is_told_above_all():
    assert field_of(Conflict("no"), False) is None
    assert field_of(InvalidInput("manifest", "no"), False) is None
    assert field_of(InvalidInput("auto_rotate.grace", "no"), True) == (
        "text",
        "auto_rotate.grace: no",
    )


texts = st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=12)


@given(
    st.dictionaries(st.sampled_from([*fields_of(FULL), "stores.x.path", "stores.9.path"]), texts)
)
def test_whatever_is_sent_makes_a_manifest_or_a_refusal(fields):
    try:
        made = manifest_of(fields, FULL)
    except InvalidInput:
        return
    assert made["type"] == "virtual-account"


def test_a_manifest_is_read_as_json_means_it():
    assert read_manifest("name: no\nexpiration_date: 2027-01-31\n", "text") == {
        "name": "no",
        "expiration_date": "2027-01-31",
    }


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "line 1: "),
        ("a: 1\na: 2", "line 2: a key stands here twice"),
        ("a: &x [1]\nb: *x", "line 2: aliases are not taken"),
        ("- a", "give one manifest"),
        ("", "give one manifest"),
        ("a: 1\n---\nb: 2", "line 2: "),
        ("a: !!python/object:os.system {}", "line 1: "),
    ],
)
def test_what_is_no_manifest_is_refused_with_its_line(text, said):
    with pytest.raises(InvalidInput, match=f"^text: {said}"):
        read_manifest(text, "text")
