"""A mail service. Its mails end up in `mails.jsonl`."""

from . import outside


def payment_succeeded(user_id: str) -> bool:
    """Good news."""
    return _mail(user_id, "Your seats are paid for. Enjoy the show!")


def payment_failed(user_id: str) -> bool:
    """Bad news."""
    return _mail(user_id, "We could not charge your card. Your seats stay reserved a while.")


def ask_box_office(question: str, answer_to: str) -> bool:
    """A question for a human, who answers to the awakeable `answer_to`."""
    return _mail("box-office", question, answer_to=answer_to)


def send_code(user_id: str, code: str) -> bool:
    """A code with which the user proves that the address is theirs."""
    return _mail(user_id, f"Your code is {code}.", code=code)


def _mail(to: str, text: str, **facts: str) -> bool:
    outside.note("mails", to=to, text=text, **facts)
    print(f"mail to {to}: {text}")
    return True
