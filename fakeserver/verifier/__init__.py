"""The judge (pure: promise, rules, causes, hazards, verdict, report), and what runs clients."""
