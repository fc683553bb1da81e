"""What a user asks for: run, verify, describe, list, check, report and clean, and how they tell it."""
