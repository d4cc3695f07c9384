"""The outside of an installation: stores, mail and chat, each a double with a real wire."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.support.aws_double import AwsDouble
from tests.support.mail_double import MailDouble
from tests.support.slack_double import SlackDouble
from tests.support.vault_double import VaultDouble

CREDENTIALS = {"username": "keyturn", "password": "mail-password-canary"}


@dataclass
class Outside:
    """Everything Keyturn writes to and tells."""

    vault: VaultDouble
    aws: AwsDouble
    mail: MailDouble
    slack: SlackDouble

    @property
    def secrets(self) -> list[str]:
        """Credentials that must not appear anywhere either."""
        return [self.vault.root_token, CREDENTIALS["password"], "xoxb-canary-bot-token"]

    def manifests(self) -> list[dict[str, Any]]:
        """One provider account for each."""
        access_key = {
            "type": "access-key-based",
            "access_key_id": "AKIACANARYCANARYCANA",
            "secret_access_key": "aws-secret-key-canary",
        }
        return [
            {
                "type": "provider-account/hashicorp",
                "name": "vault",
                "integrations": [
                    {
                        "type": "integration/secret-store/hashicorp/vault",
                        "name": "kv-main",
                        "vault_url": self.vault.url,
                        "kv_mount_path": "secret",
                        "auth_data": {"type": "token", "token": self.vault.root_token},
                        "timeout": 2,
                    }
                ],
            },
            {
                "type": "provider-account/aws",
                "name": "cloud",
                "aws_account_id": "123456789012",
                "auth_data": access_key,
                "integrations": [
                    {
                        "type": "integration/secret-store/aws/secrets-manager",
                        "name": "secrets",
                        "region": "us-east-1",
                        "endpoint_url": self.aws.endpoint_url,
                        "timeout": 2,
                    }
                ],
            },
            {
                "type": "provider-account/slack",
                "name": "chat",
                "integrations": [
                    {
                        "type": "integration/notification-channel/slack-bot",
                        "name": "bot",
                        "auth_data": {"type": "slack-bot", "bot_token": "xoxb-canary-bot-token"},
                        "endpoint_url": self.slack.api_url,
                        "rate": 100,
                    }
                ],
            },
            {
                "type": "provider-account/custom",
                "name": "own",
                "integrations": [
                    {
                        "type": "integration/notification-channel/email",
                        "name": "mail",
                        "from_email": "keyturn@example.com",
                        "auth_data": {
                            "type": "smtp-credentials",
                            "host": self.mail.host,
                            "port": self.mail.port,
                            **CREDENTIALS,
                        },
                        "ca_bundle": self.mail.ca_pem,
                    },
                    {"type": "integration/secret-store/custom/file", "name": "files"},
                ],
            },
        ]

    @staticmethod
    def account(name: str, *, interval: str = "1s", grace: str = "2s") -> dict[str, Any]:
        """A virtual account that is kept in every store and told to everybody."""
        return {
            "type": "virtual-account",
            "name": name,
            "auto_rotate": {"interval": interval, "grace": grace, "max_hold": "2m"},
            "secret_store_configs": [
                {
                    "type": "secret-store",
                    "integration_fqn": f"acme:{store}",
                    "secret_path": f"{name}/token",
                }
                for store in (
                    "hashicorp:vault:secret-store:kv-main",
                    "aws:cloud:secret-store:secrets",
                    "custom:own:secret-store:files",
                )
            ],
            "notification_targets": [
                {
                    "type": "email",
                    "notification_channel": "acme:custom:own:notification-channel:mail",
                    "to_emails": ["ops@example.com"],
                },
                {
                    "type": "slack-bot",
                    "notification_channel": "acme:slack:chat:notification-channel:bot",
                    "channels": ["C1"],
                },
            ],
        }

    def apply(self, client: httpx.Client, manifest: dict[str, Any]) -> Any:
        answer = client.put("/api/svc/v1/apply", json={"manifest": manifest})
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def outside() -> Iterator[Outside]:
    mail = MailDouble(
        tls="starttls", credentials=(CREDENTIALS["username"], CREDENTIALS["password"])
    )
    with VaultDouble() as vault, AwsDouble() as aws, mail, SlackDouble() as slack:
        slack.allow_token("xoxb-canary-bot-token")
        slack.add_channel("C1")
        yield Outside(vault, aws, mail, slack)
