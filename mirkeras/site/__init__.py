"""The static site: gathered from results and runs, written whole."""
