"""What a train command does around its runs: chooses, foresees, starts and sums up."""
