"""Tags of your own music, by a trained network: two lines are enough.

from mirkeras.tagging import tag
tag("song.mp3").top(10)
"""

from mirkeras.tagging.tagger import Tagged, Tagger, tag
