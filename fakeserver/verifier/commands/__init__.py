"""Clients in any language: programs that are run, read line by line, and killed."""
