"""Integrations that need more than rtour, under the official SDK's module names."""
