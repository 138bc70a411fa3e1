"""Real PostgreSQL and Valkey servers out of wheels, in a directory of their own."""

from cli.servers.embedded import EmbeddedServer, ServerNotStarted
from cli.servers.postgres import EmbeddedPostgres
from cli.servers.valkey import EmbeddedValkey

__all__ = ["EmbeddedPostgres", "EmbeddedServer", "EmbeddedValkey", "ServerNotStarted"]
