"""The pool's catalogue: what providers offer, how it comes in, and which entries are the same thing."""
