"""Many files as one job: which there are, what is kept of them, and what is written."""
