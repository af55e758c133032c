"""The data sets, one module each; `data_prep.get` finds them by name."""
