"""Deciding the switches of a dialect by reading from a service: politely, and with evidence."""
