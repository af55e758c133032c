"""Pons, Serrà & Serra, "Training neural audio classifiers with few data", ICASSP 2019.

How accuracy grows with the number of clips per class: standard networks, prototypical networks,
nearest neighbours, and what embeddings trained on other data add.
"""
