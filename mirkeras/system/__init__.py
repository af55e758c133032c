"""What the suite asks of the machine: processes, threads, devices, limits, errors."""
