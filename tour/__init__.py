"""The theatre of the tour, stage by stage, and the lessons that lead through it."""
