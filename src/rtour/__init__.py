"""rtour: durable execution in one package."""
