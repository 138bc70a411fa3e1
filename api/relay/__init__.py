"""The relay: the process that holds open connections and tells them what happens in runs."""
