"""What a user asks for: run, verify, check and clean, and how they tell it."""
