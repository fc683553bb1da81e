"""What is written: where it lies, how results are spelt, parts and rejected files."""
