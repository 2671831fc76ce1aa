"""Limits of texts and numbers that all of the pool shares."""

from __future__ import annotations

NAME_CHARS_MAX = 200
REASON_CHARS_MAX = 500
RATING_MAX = 500
"""Hundredths: 5.00."""
