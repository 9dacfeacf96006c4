// A mail service. Its mails end up in `mails.jsonl`.
import * as outside from "./outside.ts";

/** Good news. */
export function paymentSucceeded(userId: string): void {
  mail(userId, "Your seats are paid for. Enjoy the show!");
}

/** Bad news. */
export function paymentFailed(userId: string): void {
  mail(userId, "We could not charge your card. Your seats stay reserved a while.");
}

/** A question for a human, who answers to the awakeable `answerTo`. */
export function askBoxOffice(question: string, answerTo: string): void {
  mail("box-office", question, { answer_to: answerTo });
}

/** A code with which the user proves that the address is theirs. */
export function sendCode(userId: string, code: string): void {
  mail(userId, `Your code is ${code}.`, { code });
}

function mail(to: string, text: string, facts: Record<string, string> = {}): void {
  outside.note("mails", { to, text, ...facts });
  console.log(`mail to ${to}: ${text}`);
}
