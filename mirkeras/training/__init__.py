"""A row becomes a finished run: checked, planned, trained, recorded."""
