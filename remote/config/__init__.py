"""deploy.toml: which servers there are and what a project does with them."""
