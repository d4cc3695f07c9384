"""How things stand: overview, troubles, events, metrics, the doctor."""
