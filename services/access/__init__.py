"""Who may do what: roles, bindings, grants."""
