"""A trained network for other programs: as ONNX, LiteRT or Keras, with its front-end if wanted."""
