#!/usr/bin/python3
"""Injects a sample newsletter of 100 recipients.

inject.py smtp HOST:PORT   one message per reader, over one SMTP connection, each with its own greeting
inject.py http HOST:PORT   one request to /api/inject/v1: one content, 100 recipients
"""

import json
import smtplib
import sys
import urllib.request
from email.message import EmailMessage

READERS = 100
DOMAINS = ["example.com", "example.net", "example.org", "mail.example"]


def newsletter(greeting):
    message = EmailMessage()
    message["From"] = "The Weekly <weekly@news.example>"
    message["To"] = "Readers <readers@news.example>"
    message["Subject"] = "This week: your mail arrives"
    message["List-Unsubscribe"] = "<https://news.example/unsubscribe>"
    message.set_content(f"{greeting},\n\nthis newsletter went all the way.\n\nThe Weekly\n")
    return message


def reader(kind, number):
    return f"{kind}-reader{number}@{DOMAINS[number % len(DOMAINS)]}"


def by_smtp(address):
    host, _, port = address.rpartition(":")
    with smtplib.SMTP(host, int(port)) as client:
        for number in range(READERS):
            client.send_message(newsletter(f"Dear reader {number}"), "weekly@news.example",
                                [reader("smtp", number)])
    print(f"{READERS} messages accepted by {address}")


def by_http(address):
    body = {
        "envelope_sender": "weekly@news.example",
        "recipients": [{"email": reader("http", number)} for number in range(READERS)],
        "content": newsletter("Dear reader").as_string(),
    }
    request = urllib.request.Request(f"http://{address}/api/inject/v1", json.dumps(body).encode(),
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as reply:
        answer = json.load(reply)
    print(f"{reply.status} {reply.reason}: {answer['success_count']} accepted, "
          f"{answer['fail_count']} refused, id {answer['ids'][0]}")
    if answer["success_count"] != READERS:
        sys.exit(1)


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("smtp", "http"):
        sys.exit(__doc__)
    {"smtp": by_smtp, "http": by_http}[sys.argv[1]](sys.argv[2])
