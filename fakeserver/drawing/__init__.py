"""The parts of drawing a world: its frame, its events' moments, its polls."""
