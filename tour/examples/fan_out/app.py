"""Fan out and gather: work on many parts at once, then put the results together.

All calls are made before any is awaited. Parts that are done stay done, whatever restarts.

    rtour serve app.py
    rtour deployments register localhost:9080
    rtour call Report/count '["to be or not to be", "that is the question"]'
"""

from collections import Counter

import rtour

report = rtour.Service("Report")
words = rtour.Service("Words")


@report.handler("count")
async def count_all(ctx: rtour.Context, texts: list[str]) -> dict[str, int]:
    """How often each word occurs in all of the texts."""
    parts = [ctx.service_call(count, arg=text) for text in texts]
    await rtour.gather(*parts)
    total: Counter[str] = Counter()
    for part in parts:
        total.update(await part)
    return dict(sorted(total.items()))


@words.handler()
async def count(ctx: rtour.Context, text: str) -> dict[str, int]:
    """How often each word occurs in one text."""
    return dict(Counter(text.lower().split()))


app = rtour.app([report, words])
