"""What a user asks for: run, verify, describe, list, check, results, report and clean, and how they tell it."""
