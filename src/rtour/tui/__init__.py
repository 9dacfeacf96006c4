"""The terminal UI: a view over `rtour.client`, of any server that speaks Restate's admin API.

Rules of this room: workers never touch widgets, they read with the client and post a message;
`show` methods own what is on screen. What the data means is decided in `rtour.client`, so that the
command line says the same. Only this room imports textual.
"""
