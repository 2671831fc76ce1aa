"""Search of the pool: Chinese full text on PostgreSQL, explained ranking, kept up to date by a queue (docs/registry.md, Search)."""
