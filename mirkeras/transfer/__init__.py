"""What trained networks make of tracks, as input of a classifier."""
