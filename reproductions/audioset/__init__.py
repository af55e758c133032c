"""Networks trained on AudioSet, whose embeddings classify other sounds: VGGish and YAMNet."""
