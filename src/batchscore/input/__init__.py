"""What is read: blocks of records, their lines, columns, types and faults."""
