"""Checks of the form of what stands beside the books: answers and events.

Neither follows from the journal: old ones are forgotten and trimmed, and refusals, queries and registers leave such rows too.
"""

from __future__ import annotations

# gRPC has the codes 0 to 16; a record claimed and not answered is never committed. A message begins with a field's number, which is
# at least one and stands above three bits.
_ANSWERS = """
SELECT 'answers', concat(participant_id, '/', request_id, ': status ', status, ', answer of ', octet_length(body), ' bytes')
FROM idempotency WHERE status NOT BETWEEN 0 AND 16 OR octet_length(body) > 0 AND get_byte(body, 0) < 8
UNION ALL
SELECT 'events', concat(seq, ': ', type, ' for ', topic, ' is no message') FROM outbox
WHERE octet_length(payload) > 0 AND get_byte(payload, 0) < 8"""

PASSES = ((("answers", "events"), _ANSWERS),)
