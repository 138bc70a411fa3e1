"""Conversations and the generations that write them: each a run on the engine."""
