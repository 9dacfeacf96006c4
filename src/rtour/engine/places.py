"""How far each subscription has come: a record invokes once, however often it is read."""

from __future__ import annotations

import msgspec

from rtour.engine.actions import Accepted, Verdict
from rtour.engine.changes import PutDocument
from rtour.engine.commands import Invoke
from rtour.engine.decision import Decision
from rtour.engine.model import DocumentKind, Place
from rtour.engine.view import View

# A subscription's document says for each source the offset of the last record that was taken.
_PLACES = msgspec.json.Decoder(dict[str, int])
NOWHERE = b"{}"


def advance(view: View, command: Invoke, place: Place, decision: Decision) -> bool:
    """Move the subscription on to `place`, or answer why the record invokes nothing.

    The document is written when the subscription is made: without it there is none any more. A
    record whose predecessor is missing is refused, or that one would never be invoked.
    """
    document = view.document(DocumentKind.SUBSCRIPTION_PLACES, place.subscription)
    if document is None:
        decision.outcome(
            command.accept_request_id,
            Verdict.NOT_FOUND,
            f"the subscription '{place.subscription}' has ended",
        )
        return False
    places = _PLACES.decode(document)
    last = places.get(place.source, -1)
    if place.offset <= last:
        decision.respond(command.accept_request_id, Accepted(command.id, previously=True))
        return False
    if last < place.after:
        decision.outcome(
            command.accept_request_id,
            Verdict.CONFLICT,
            f"the record at offset {place.after} of {place.source} was not taken",
        )
        return False
    places[place.source] = place.offset
    decision.changes.append(
        PutDocument(
            DocumentKind.SUBSCRIPTION_PLACES, place.subscription, msgspec.json.encode(places)
        )
    )
    return True
