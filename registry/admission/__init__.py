"""Providers: how they come into the pool, how they stand, and what the pool was on any day."""
