"""The guide of the tour: lessons, the theatre they play in, checks, and what was learned so far.

It knows rtour from outside only: the programs `rtour server` and `rtour serve`, and the typed
client. Whoever shows it (`rtour tour`, in the terminal UI or as plain text) gets data from here.
"""
