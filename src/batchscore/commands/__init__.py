"""What a user asks for: run, verify, describe, list, check, results, report, clean and warm, and how they tell it."""
