"""Use cases, one transaction each. What all stand on lies here, the rest in packages."""
