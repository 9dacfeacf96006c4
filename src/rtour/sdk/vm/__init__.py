"""The state machine of one attempt, without I/O, clock or randomness.

The split between this machine and its shell follows Restate's sdk-shared-core (its
docs/sdk-integration.md): the machine knows the protocol and the journal, the shell knows the
event loop and the handler. In the manner of h11:

    receive(bytes), receive_eof()    feed the request body
    ready_to_execute                 then call the handler, which makes `sys_…` calls
    take_output()                    bytes for the response body: send them all, in order
    progress(trees)                  when all tasks of the handler wait: who may go on?
    take(leaf)                       the result of something that is done
    closed                           the last frame is in the output

Whatever goes wrong is an Error frame and a closed machine; from then on every operation raises one
of the SDK's internal exceptions and nothing more is written.
"""

from rtour.sdk.vm.awaiting import CANCEL, Leaf, Node, Outcome, Tree, evaluate, outcome_of
from rtour.sdk.vm.core import Phase, Progress
from rtour.sdk.vm.machine import VM, CallOptions
from rtour.sdk.vm.retries import RunFailure, RunRetryPolicy

__all__ = [
    "CANCEL",
    "VM",
    "CallOptions",
    "Leaf",
    "Node",
    "Outcome",
    "Phase",
    "Progress",
    "RunFailure",
    "RunRetryPolicy",
    "Tree",
    "evaluate",
    "outcome_of",
]
