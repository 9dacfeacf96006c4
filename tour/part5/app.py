"""What is served: `rtour serve tour.part5.app:app`, or any ASGI server."""

import rtour

from .cart_object import cart
from .checkout_service import checkout
from .group_booking import groups
from .membership_workflow import membership
from .refund_service import refunds
from .ticket_object import ticket

app = rtour.app([cart, ticket, checkout, refunds, membership, groups])
