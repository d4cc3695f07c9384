"""The demo of `make run`: one account that rotates every minute into a file and a mailbox."""

from uuid import UUID

from cli.output import said
from core.actors import Actor
from services.accounts.accounts import put_account
from services.integrations.integrations import apply_provider_account
from services.runtime import Runtime

_ROTATION = {"interval": "60s", "grace": "20s", "max_hold": "5m"}


def prepare(runtime: Runtime, tenant_id: UUID) -> None:
    """Makes the demo's integrations and account; a second call changes nothing."""
    actor = Actor.operator(tenant_id, "demo")
    applied = apply_provider_account(
        runtime,
        actor,
        {
            "type": "provider-account/custom",
            "name": "demo",
            "integrations": [
                {"type": "integration/secret-store/custom/file", "name": "files"},
                {
                    "type": "integration/notification-channel/console",
                    "name": "mailbox",
                    "mailbox": "mailbox",
                    "quiet": True,
                },
            ],
        },
    )
    files, mailbox = applied.integrations
    put_account(
        runtime,
        actor,
        {
            "type": "virtual-account",
            "name": "demo-bot",
            "auto_rotate": _ROTATION,
            "secret_store_config": {
                "type": "secret-store",
                "integration_fqn": files.fqn,
                "secret_path": "demo-bot/token",
            },
            "notification_target": {"type": "console", "notification_channel": mailbox.fqn},
        },
    )
    said(f"The demo rotates demo-bot every 60 s, into {runtime.ports.file_root}/demo-bot/token")
    said(f"and tells a mailbox, {runtime.ports.file_root}/mailbox. Ctrl-C ends it.")
