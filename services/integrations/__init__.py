"""Secret stores and notification channels, as tenants configure them."""
