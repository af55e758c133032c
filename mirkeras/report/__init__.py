"""Draws and lays out what it is given."""
