"""Part 4: the checkout pays exactly once and tells the user: the finished theatre."""
