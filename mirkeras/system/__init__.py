"""What the suite asks of the machine: files, processes, threads, devices, errors."""
