// A payment provider that charges once per payment key, however often it is asked.
// It can be told to misbehave: see the three orders in `call`.
import * as outside from "./outside.ts";

/** Charges `amount` dollars; false if the card is declined. */
export async function call(paymentKey: string, amount: number): Promise<boolean> {
  outside.note("payment-calls", { key: paymentKey, amount });
  console.log(`payment of $${amount} with key ${paymentKey}`);
  // Whether it has charged is then anybody's guess.
  if (outside.countDown("payments-to-fail")) {
    throw new Error("The payment provider does not answer.");
  }
  await outside.whileOrdered("payments-hang");
  if (outside.ordered("cards-declined")) return false;
  outside.noteOnce("charges", paymentKey, { amount });
  return true;
}
