"""The real server as a process: killed, starved, stopped under load; then its file is checked."""
