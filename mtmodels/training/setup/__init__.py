"""From words to objects: configuration, data, what trains."""
