"""The two data sets that are made here instead of fetched."""
