"""VGGish and YAMNet, networks trained on AudioSet."""
