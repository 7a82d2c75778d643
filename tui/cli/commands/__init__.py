"""The commands of `sovdeck`: one module each, with `add_arguments` and `run`."""
