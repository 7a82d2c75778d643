"""The verbs of the `sovdeck` command: one module each, with `add_arguments` and `run`."""
