"""Who asks, and what they may do: `rights` for views, `identity` for any process.

Nothing is imported here, so that the relay can identify its clients without the web process's libraries.
"""
