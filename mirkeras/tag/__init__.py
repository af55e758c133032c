"""The command `mirkeras tag`, around the engine of `mirkeras.tagging`: files in, outputs, jobs."""
