"""Published numbers, measured numbers, and the pages made from them."""
