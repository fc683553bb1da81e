"""What a job saw and how good it is: counts of splits that add up exactly, and what follows from them (pure)."""
