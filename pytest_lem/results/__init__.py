"""What was found: the record, its statistics, the journal, the run file."""
