"""One file a screen; a screen renders the store's state and posts intents."""
