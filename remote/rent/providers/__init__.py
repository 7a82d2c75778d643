"""The providers whose servers can be rented from here, each by its documented HTTP interface."""
