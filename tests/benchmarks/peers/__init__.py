"""Other systems of durable execution, doing the benchmark's steps behind the same URLs."""
