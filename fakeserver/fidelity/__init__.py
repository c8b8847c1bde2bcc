"""Is the fake true? Probing a real service, checking a recorded one, serving what was recorded."""
