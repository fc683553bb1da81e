"""What the page tells, a module for each of its sections (pure)."""
