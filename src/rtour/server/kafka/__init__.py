"""Kafka topics that invoke handlers (server-semantics.md §13).

catalog        clusters and subscriptions as they are stored and shown
subscriptions  makes, lists and ends them, and keeps one reader for each
reader         reads one subscription's topic, and says how that goes
records        a record becomes an `Invoke`
client         the one module that knows librdkafka, which the extra `rtour[kafka]` brings
"""
