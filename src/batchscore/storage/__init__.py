"""Where objects lie: local files or S3, behind one interface."""
