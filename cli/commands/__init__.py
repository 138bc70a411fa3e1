"""The commands of `perdure`: one file a command or group. Each asks the server and prints; none decides anything."""
