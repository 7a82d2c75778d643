"""Everything the dashboard asks of the outside world, behind Protocols."""
