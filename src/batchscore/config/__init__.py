"""What a job is told: its keys, their values and spellings."""
