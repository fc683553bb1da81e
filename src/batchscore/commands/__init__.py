"""What a user asks for: run, verify, describe, list, check and clean, and how they tell it."""
