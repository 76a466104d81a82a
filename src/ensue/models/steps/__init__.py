"""Models over sequences of records: a network, baselines and their mixture."""
