"""How the files of a data set are had: downloaded, checked, unpacked, counted."""
