"""Plays sound on this computer. Imports nothing of tui but `text`."""
