"""The app that a person starts: controller, command handlers, background tasks."""
