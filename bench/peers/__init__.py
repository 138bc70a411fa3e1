"""One file a peer. They run in an environment of their own and import nothing of the project (Perdure's excepted)."""
