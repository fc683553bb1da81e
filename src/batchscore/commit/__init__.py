"""What makes a job a success or a failure, and lasts: record, receipts, manifests, and the checks before the commit."""
