"""Part 3: carts and seats remember."""
