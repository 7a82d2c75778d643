"""The `sovdeck` command line: its parser, its commands and what they print."""
