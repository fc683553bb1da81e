"""What the beginnings of inputs show: findings in counts, what explains them, and which keys or changes help."""
