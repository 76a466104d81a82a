"""From files to examples, arrays and batches; never loads torch."""
