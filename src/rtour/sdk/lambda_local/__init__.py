"""AWS Lambda on this machine: its Invoke API, in front of processes that each handle one event.

sandbox   the process that imports the handler and calls it
pool      keeps sandboxes: as many as there are events at once, gone when they are not needed
api       `POST /2015-03-31/functions/NAME/invocations`, as the AWS SDKs speak it
"""

from rtour.sdk.lambda_local.api import LambdaApi
from rtour.sdk.lambda_local.pool import Function, Pool

__all__ = ["Function", "LambdaApi", "Pool"]
