"""Scenarios: the hub's behaviour as data, played against a fresh hub through its public API (tests/scenarios/README.md)."""
