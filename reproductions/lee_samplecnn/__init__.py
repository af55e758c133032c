"""Lee, Park, Kim & Nam, "SampleCNN", Applied Sciences 8(1):150, 2018."""
