"""Every page as people see it: where it is, and what is there when it is ready.

The checks of axe and the pictures in docs/console both walk this list.
"""

from dataclasses import dataclass

from playwright.sync_api import Page

from tests.support.browser import PHONE, WIDE

VIEWS = {
    "light": {"color_scheme": "light", "viewport": WIDE},
    "dark": {"color_scheme": "dark", "viewport": WIDE},
    "phone": {"color_scheme": "light", "viewport": PHONE},
}


@dataclass(frozen=True)
class Seen:
    """One page. `path` may name what the demo made; `opens` is clicked first, if given."""

    name: str
    path: str
    heading: str
    is_signed_in: bool = True
    opens: str = ""
    is_pictured: bool = False

    def visit(self, page: Page, names: dict[str, str]) -> None:
        """Goes there and waits until it is ready."""
        page.goto(self.path.format(**names))
        if self.opens:
            page.get_by_role("link", name=self.opens, exact=True).first.click()
        page.get_by_role("heading", name=self.heading).first.wait_for()


SEEN = (
    Seen("sign-in", "/sign-in", "Sign in", is_signed_in=False, is_pictured=True),
    Seen("device", "/device?code=BCDF-GHJK", "Approve a login"),
    Seen("nothing", "/nothing", "There is nothing here"),
    Seen("overview", "/", "Overview", is_pictured=True),
    Seen("accounts", "/virtual-accounts", "Virtual accounts", is_pictured=True),
    Seen("accounts-none", "/virtual-accounts?q=nothing", "Virtual accounts"),
    Seen("account", "/virtual-accounts/{account}", "checkout-api", is_pictured=True),
    Seen("account-troubled", "/virtual-accounts/{troubled}", "payments-webhooks"),
    Seen(
        "account-rotate",
        "/virtual-accounts/{account}",
        "Rotate checkout-api now?",
        opens="Rotate",
        is_pictured=True,
    ),
    Seen(
        "account-delete",
        "/virtual-accounts/{account}/delete",
        "Delete checkout-api?",
        is_pictured=True,
    ),
    Seen("account-revoke-all", "/virtual-accounts/{account}/revoke-all", "Revoke every token"),
    Seen("account-edit", "/virtual-accounts/{account}/edit", "Edit checkout-api", is_pictured=True),
    Seen("account-yaml", "/virtual-accounts/{account}/edit?mode=yaml", "Edit checkout-api"),
    Seen("account-new", "/virtual-accounts/new", "New virtual account"),
    Seen("tokens", "/personal-access-tokens", "Personal access tokens", is_pictured=True),
    Seen("tokens-new", "/personal-access-tokens/new", "New personal access token"),
    Seen("users", "/users?show=all", "Users"),
    Seen("user-new", "/users/new", "Add somebody"),
    Seen("user", "/users/{user}", "bela.kovacs@example.com", is_pictured=True),
    Seen("user-roles", "/users/{user}/roles", "Roles on the tenant"),
    Seen("user-deactivate", "/users/{user}", "Deactivate bela", opens="Deactivate"),
    Seen("user-delete", "/users/{user}/delete", "Delete bela"),
    Seen("user-token", "/users/{user}/tokens/new", "A personal access token"),
    Seen("teams", "/teams", "Teams"),
    Seen("team", "/teams/{team}", "payments"),
    Seen("team-edit", "/teams/{team}/edit", "Edit payments"),
    Seen("team-delete", "/teams/{team}/delete", "payments cannot be deleted yet"),
    Seen("roles", "/roles", "Roles"),
    Seen("role", "/roles/{role}", "key-turner"),
    Seen("role-edit", "/roles/{role}/edit", "Edit key-turner", is_pictured=True),
    Seen("role-delete", "/roles/{role}", "key-turner cannot be deleted yet", opens="Delete"),
    Seen("integrations", "/integrations", "Integrations", is_pictured=True),
    Seen("integration", "/integrations/{store}", "vault-production", is_pictured=True),
    Seen("integration-channel", "/integrations/{channel}", "ops-chat"),
    Seen("integration-pause", "/integrations/{store}", "Pause vault-production?", opens="Pause"),
    Seen("integration-delete", "/integrations/{store}/delete", "vault-production cannot be"),
    Seen("integration-kinds", "/integrations/new", "Add an integration"),
    Seen(
        "integration-new",
        "/integrations/new/secret-store/hashicorp/vault",
        "HashiCorp Vault",
        is_pictured=True,
    ),
    Seen("integration-edit", "/integrations/{store}/edit", "Edit vault-production"),
    Seen("activity", "/activity", "Activity", is_pictured=True),
    Seen("deliveries", "/activity/deliveries?shown=failed", "Activity"),
    Seen("delivery", "/activity/deliveries/{delivery}", "Copy of generation", is_pictured=True),
    Seen("audit", "/activity/audit", "Activity", is_pictured=True),
    Seen("security", "/settings/security", "Security", is_pictured=True),
    Seen("security-key", "/settings/security", "Make a new signing key?", opens="New key"),
    Seen("groups", "/secret-groups", "Secret groups"),
    Seen("group", "/secret-groups/{group}", "shared-keys"),
    Seen("group-edit", "/secret-groups/{group}/edit", "Who may use shared-keys"),
    Seen("group-delete", "/secret-groups/{group}", "Delete secret group", opens="Delete"),
    Seen("providers", "/settings/identity-providers", "Identity providers"),
    Seen("provider", "/settings/identity-providers/{provider}", "github", is_pictured=True),
    Seen("provider-edit", "/settings/identity-providers/{provider}/edit", "Edit github"),
    Seen("provider-delete", "/settings/identity-providers/{provider}/delete", "Delete identity"),
    Seen("jwt", "/settings/identity-providers/explain", "Try a JWT"),
    Seen("bindings", "/role-bindings", "Role bindings"),
    Seen("binding", "/role-bindings/{binding}", "on-call"),
    Seen("binding-edit", "/role-bindings/{binding}/edit", "Edit on-call"),
    Seen("binding-delete", "/role-bindings/{binding}/delete", "Delete binding on-call?"),
)
