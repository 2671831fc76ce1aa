"""Days of native records: as many as are wanted, always the same, in each province's own format."""
