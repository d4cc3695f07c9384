"""What the operator does: schema, first admin, tenants, keys, recovery, housekeeping."""
