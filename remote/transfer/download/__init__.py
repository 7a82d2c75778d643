"""Files and folders from a server: resumed, verified."""
