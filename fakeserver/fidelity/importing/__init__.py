"""Recorded pages made into a scenario, scrubbed of everything that belongs to somebody."""
