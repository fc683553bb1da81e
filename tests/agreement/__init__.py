"""Same file, same answer: a job's predictions are those of the model's own library on pandas' reading of the file."""
