"""The auditor: re-derives every balance from the journal and says what differs from the tables.

It shares no code with the decisions: what a transfer does to accounts, notes, quotas, orders, redemptions and windows is stated here
anew, in SQL. Beside the journal it reads what nothing derives: the published policies, which windows are closed, which debts are paid.

What no transfer tells it cannot know: lines of orders beyond their sum, deliveries, fees given back, provinces, numbers of notes and their
days of issue within a year; which of two states a redemption is in where both have the same transfers (held or waiting for review, voided
or expired with its notes); versions of wallets; whether an answer or an event is missing, since old ones go; applications, registers and
the pool. Nor does it see a journal and all tables that were changed together.
"""

from hub.ledger.audit.report import CHECKS, SHOWN_MAX, AuditReport, audit

__all__ = ["CHECKS", "SHOWN_MAX", "AuditReport", "audit"]
