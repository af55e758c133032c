"""The words of the commands: parsing, messages, exit status."""
