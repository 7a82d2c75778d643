"""The networks: torch only, no files, no network. Attribute names are the state-dict keys."""
