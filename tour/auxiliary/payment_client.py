"""A payment provider that charges once per payment key, however often it is asked.

It can be told to misbehave: see the three orders in `call`.
"""

from . import outside


class PaymentProviderError(Exception):
    """It did not answer; whether it has charged is anybody's guess."""


async def call(payment_key: str, amount: int) -> bool:
    """Charges `amount` dollars; false if the card is declined."""
    outside.note("payment-calls", key=payment_key, amount=amount)
    print(f"payment of ${amount} with key {payment_key}")
    if outside.count_down("payments-to-fail"):
        raise PaymentProviderError("The payment provider does not answer.")
    await outside.while_ordered("payments-hang")
    if outside.ordered("cards-declined"):
        return False
    outside.note_once("charges", payment_key, amount=amount)
    return True
