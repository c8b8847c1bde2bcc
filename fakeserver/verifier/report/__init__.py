"""A verdict, written down: as text for people, as JSON for programs."""
