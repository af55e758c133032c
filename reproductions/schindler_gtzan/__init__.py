"""Schindler, Lidy & Rauber, "Comparing Shallow versus Deep …", FMT 2016, and its reproduction."""
