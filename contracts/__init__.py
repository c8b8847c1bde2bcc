"""Executable contracts of the faked APIs; nobody imports this package."""
