"""Mutual recognition: whom an issuer recognises, by name, by class or by policy; agreements; what the matrix of it looks like."""
