"""Pons & Serra, "Designing efficient architectures for modeling temporal features with
convolutional neural networks", ICASSP 2017."""
