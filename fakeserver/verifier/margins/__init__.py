"""How far a client stands: four axes, worlds for each, the boundary found by bisection."""
