"""A new province's adapter, made from templates: a small distribution of its own that passes the contract as it stands."""
