"""Which field of a form an error of a use case is about: the one place that knows both names."""

import re

from core.errors import InvalidInput, KeyturnError

# What use cases call it, and what the form of a virtual account does.
_ACCOUNT = (
    (r"name", r"name"),
    (r"ownedBy(\..*)?", r"team"),
    (r"owned_by(\..*)?", r"team"),
    (r"tags(\..*)?", r"tags"),
    (r"expiration_date", r"expiration_date"),
    (r"token_type", r"token_type"),
    (r"auto_rotate\.grace(_period)?", r"grace"),
    (r"auto_rotate\.auto_rotate_interval", r"interval"),
    (r"auto_rotate\.ack_ends_grace", r"ack"),
    (r"auto_rotate\.(interval|schedule|timezone|spread|max_hold)", r"\1"),
    (r"auto_rotate", r"rhythm"),
    (r"secret_store_config", r"stores.0.path"),
    (r"secret_store_config\.(integration_fqn)", r"stores.0.integration"),
    (r"secret_store_config\.(key|form)", r"stores.0.\1"),
    (r"secret_store_config\..*", r"stores.0.path"),
    (r"secret_store_configs\.(\d+)\.integration_fqn", r"stores.\1.integration"),
    (r"secret_store_configs\.(\d+)\.(key|form)", r"stores.\1.\2"),
    (r"secret_store_configs\.(\d+)(\..*)?", r"stores.\1.path"),
    (r"notification_target(\.notification_channel)", r"targets.0.channel"),
    (r"notification_target(\..*)?", r"targets.0.to"),
    (r"notification_targets\.(\d+)\.notification_channel", r"targets.\1.channel"),
    (r"notification_targets\.(\d+)(\..*)?", r"targets.\1.to"),
    (r"permissions", r"permissions.0.role"),
    (r"permissions\.(\d+)\.resource_fqn", r"permissions.\1.resource"),
    (r"permissions\.(\d+)(\..*)?", r"permissions.\1.role"),
    (r"identity_provider_mapping\.(\d+)\.identity_provider", r"mappings.\1.provider"),
    (r"identity_provider_mapping\.(\d+)(\..*)?", r"mappings.\1.value"),
)
_COMPILED = [(re.compile(pattern), name) for pattern, name in _ACCOUNT]


def field_of(error: KeyturnError, is_text: bool) -> tuple[str, str] | None:
    """The form's field that the error is about, and what is allowed there; None if there is none.

    Where the manifest is written as text, there is one field, which is told what it is about.
    """
    if not isinstance(error, InvalidInput):
        return None
    if is_text:
        return "text", str(error).removeprefix("text: ")
    words = str(error).removeprefix(f"{error.field}: ")
    for pattern, name in _COMPILED:
        if found := pattern.fullmatch(error.field):
            return found.expand(name), words
    return None
