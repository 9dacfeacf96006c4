"""Kafka: topics that invoke handlers."""
