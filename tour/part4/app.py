"""What is served: `rtour serve tour.part4.app:app`, or any ASGI server."""

import rtour

from .cart_object import cart
from .checkout_service import checkout
from .ticket_object import ticket

app = rtour.app([cart, ticket, checkout])
