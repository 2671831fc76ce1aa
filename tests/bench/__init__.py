"""Benchmarks: they print tables, and are never timed assertions in the test suite."""
