"""An identity provider's manifest as the fields of a form, and back. Pure."""

import json
from collections.abc import Mapping
from typing import Any

from console.account_form_rows import Row, Rows

Fields = Mapping[str, str]
Manifest = dict[str, Any]

YES = "yes"
# How a condition is put: the form's word, and as people read it.
DEMANDS = (
    ("text", "is"),
    ("number", "is the number"),
    ("true", "is true"),
    ("false", "is false"),
    ("in", "is one of"),
    ("matches", "begins with"),
)
_TEXTS = ("issuer", "jwks_uri", "subject", "ca_bundle")
_USUAL_SCOPES = "openid email"


def _condition(entry: Manifest) -> Row:
    """`kept` is the entry as it was: what the row still says, it says with the same types."""
    equals = entry.get("equals")
    if "in" in entry:
        how, value = "in", ", ".join(map(str, entry["in"]))
    elif "matches" in entry:
        how, value = "matches", str(entry["matches"]).removesuffix("*")
    elif isinstance(equals, bool):
        how, value = str(equals).lower(), ""
    else:
        how, value = "number" if isinstance(equals, int) else "text", str(equals)
    kept = json.dumps(entry, sort_keys=True)
    return {"claim": entry.get("claim", ""), "how": how, "value": value, "kept": kept}


def _as_condition(row: Row, kept: dict[str, Any]) -> Manifest:
    if kept and {**_condition(kept), "kept": ""} == {**row, "kept": ""}:
        return kept
    claim, value = row["claim"].strip(), row["value"].strip()
    if row["how"] == "in":
        return {"claim": claim, "in": [one.strip() for one in value.split(",") if one.strip()]}
    if row["how"] == "matches":
        return {"claim": claim, "matches": f"{value}*"}
    if row["how"] in {"true", "false"}:
        return {"claim": claim, "equals": row["how"] == "true"}
    is_number = row["how"] == "number" and value.removeprefix("-").isdecimal()
    return {"claim": claim, "equals": int(value) if is_number else value}


CONDITIONS = Rows("conditions", ("claim", "how", "value"), "claim", _condition, _as_condition)


def fields_of(manifest: Manifest) -> dict[str, str]:
    """The form's fields for this manifest."""
    sign_in = manifest.get("sign_in") or {}
    return {
        "name": str(manifest.get("name") or ""),
        **{name: str(manifest.get(name) or "") for name in _TEXTS},
        "audiences": "\n".join(manifest.get("audiences") or []),
        "algorithms": " ".join(manifest.get("algorithms") or []),
        "users": YES if manifest.get("users") else "",
        "client_id": str(sign_in.get("client_id") or ""),
        "client_secret": str(sign_in.get("client_secret") or ""),
        "scopes": " ".join(sign_in.get("scopes") or []),
        **CONDITIONS.fields(manifest.get("conditions") or []),
    }


def manifest_of(fields: Fields, base: Manifest) -> Manifest:
    """The manifest that the fields ask for. What is empty is left out, so that it is as usual."""
    manifest: Manifest = {
        "type": "identity-provider",
        "name": base.get("name") or fields.get("name", "").strip(),
        "issuer": fields.get("issuer", "").strip(),
        "audiences": _lines(fields.get("audiences", "")),
    }
    for name in _TEXTS[1:]:
        if text := fields.get(name, "").strip():
            manifest[name] = text
    if algorithms := fields.get("algorithms", "").replace(",", " ").split():
        manifest["algorithms"] = algorithms
    if conditions := CONDITIONS.entries(fields):
        manifest["conditions"] = conditions
    if fields.get("users") == YES:
        manifest["users"] = "email"
    if sign_in := _sign_in(fields, base.get("sign_in") or {}):
        manifest["sign_in"] = sign_in
    return manifest


def _sign_in(fields: Fields, base: Manifest) -> Manifest:
    client_id = fields.get("client_id", "").strip()
    secret, scopes = fields.get("client_secret", ""), fields.get("scopes", "").split()
    if not (client_id or secret):
        return {}
    found: Manifest = {"client_id": client_id}
    if secret:
        found["client_secret"] = secret
    if scopes and (scopes != _USUAL_SCOPES.split() or "scopes" in base):
        found["scopes"] = scopes
    return found


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]
