"""Between protobuf and domain: decode requests (with every wrong field named), encode answers and events."""
