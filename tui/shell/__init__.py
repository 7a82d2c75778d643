"""What every screen builds on: the app's base class, actions, keys, messages, theme, settings."""
