"""How secret groups and secrets look on the wire."""

from typing import Any

from pydantic import SecretStr

from api.shapes import moment
from models import Secret, SecretVersion
from services.secrets.secret_views import GroupView, SecretView


def secret_group(view: GroupView) -> dict[str, Any]:
    """A group as the SDK's `SecretGroup`, with its keys and no value."""
    row = view.group
    return {
        "id": str(row.id),
        "fqn": view.fqn,
        "name": row.name,
        "tenantName": view.tenant.name,
        "accountId": str(row.tenant_id),
        "integrationId": str(row.integration_id) if row.integration_id else None,
        "manifest": row.manifest,
        "associatedSecrets": [_secret(one, view.fqn) for one in view.secrets],
        "createdBySubject": row.created_by,
        "createdAt": moment(row.created_at),
        "updatedAt": moment(row.updated_at),
    }


def secret(view: SecretView) -> dict[str, Any]:
    """A secret as the SDK's `Secret`; its value is there if the caller may use it."""
    shown = _secret(view.secret, view.fqn.removesuffix(f":{view.secret.key}"))
    if view.value is not None:
        shown["value"] = view.value.get_secret_value()
    if view.versions:
        shown["secretVersions"] = [
            _version(version, value, view.fqn) for version, value in view.versions
        ]
    return shown


def _secret(row: Secret, group_fqn: str) -> dict[str, Any]:
    return {
        "id": str(row.id),
        "fqn": f"{group_fqn}:{row.key}",
        "name": row.key,
        "secretGroupId": str(row.group_id),
        "version": row.version,
        "createdBySubject": row.created_by,
        "createdAt": moment(row.created_at),
        "updatedAt": moment(row.updated_at),
    }


def _version(row: SecretVersion, value: SecretStr | None, secret_fqn: str) -> dict[str, Any]:
    shown = {
        "id": str(row.id),
        "fqn": f"{secret_fqn}:{row.version}",
        "version": row.version,
        "secretId": str(row.secret_id),
        "metadata": row.mark,
        "createdAt": moment(row.created_at),
        "updatedAt": moment(row.created_at),
    }
    return shown if value is None else {**shown, "value": value.get_secret_value()}
