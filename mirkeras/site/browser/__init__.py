"""The tracks that runs get wrong, to look at and to listen to."""
