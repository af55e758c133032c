"""Pons, Nieto, Prockup, Schmidt, Ehmann & Serra, "End-to-end learning for music audio tagging at
scale", ISMIR 2018, and the taggers that came of it: musicnn (ISMIR 2019, late-breaking)."""
