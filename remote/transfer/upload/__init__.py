"""Files to a server: resumed, verified."""
