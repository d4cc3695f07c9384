"""Users, teams, their personal tokens, and how they log in."""
