"""Serve the kitchen: `python -m tests.sdk.serve restate|rtour hypercorn|rtour PORT [KEY]`.

With an identity key, only requests that are signed with it are answered.
"""

from __future__ import annotations

import asyncio
import importlib
import sys

from tests.sdk import kitchen


def main() -> None:
    sdk_name, server, port, *keys = sys.argv[1:]
    sdk = importlib.import_module(sdk_name)
    app = sdk.app(kitchen.build(sdk), identity_keys=keys)
    if server == "hypercorn":
        import hypercorn.asyncio
        from hypercorn.config import Config

        config = Config()
        config.bind = [f"127.0.0.1:{port}"]
        asyncio.run(hypercorn.asyncio.serve(app, config))
    else:
        sdk.serve(app, host="127.0.0.1", port=int(port))


if __name__ == "__main__":
    main()
