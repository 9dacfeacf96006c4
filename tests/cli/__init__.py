"""The command line, on a fake server in-process and on real ones."""
