"""A province whose files are plain tables, one record a row: its mapping is a table of names, read in both directions."""
