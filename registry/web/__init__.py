"""The pool over REST: the same use cases as over gRPC, through the same dispatcher. No rule is written here a second time."""
