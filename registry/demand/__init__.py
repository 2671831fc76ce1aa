"""From a demand to an order: matching, invitations, offers, appointments (docs/registry.md, Demand)."""
