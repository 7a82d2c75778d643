"""Questions to the transfer agent that runs on the server."""
