"""One blueprint a resource. A view parses, calls one use case and answers."""
