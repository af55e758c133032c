"""Predictions become metrics, intervals and verdicts; no trained network is opened."""
