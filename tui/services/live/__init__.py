"""The services over `remote`: what the dashboard asks of real servers."""
