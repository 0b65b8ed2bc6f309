"""Users of your own, whom fob asks for (docs/own-users.md).

In Lambda (Python 3.12 or later) the handler is own_users.handler. On a laptop,
`python3 own_users.py 9000` answers the same on http://localhost:9000.
"""

import base64
import hashlib
import hmac
import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def slow_hash(password, salt):
    return hashlib.scrypt(password.encode(), salt=salt, n=2**14, r=8, p=1)


def person(id, password, roles=(), disabled=False):
    salt = os.urandom(16)
    return {"id": id, "salt": salt, "hash": slow_hash(password, salt), "roles": list(roles), "disabled": disabled}


# In the place of your database, which has hashes and no passwords.
PEOPLE = {
    "ann@example.com": person("17", "blue lamp on a desk", ["staff"]),
    "bob@example.com": person("18", "red chair by a door", disabled=True),
}
NOBODY = person("", "")


def handler(question, context=None):
    if question.get("version") != 1:
        raise ValueError("another version of the contract")
    # A name that nobody has takes as long as a wrong password.
    who = PEOPLE.get(question["username"], NOBODY)
    right = hmac.compare_digest(slow_hash(question["password"], who["salt"]), who["hash"])
    if not right or who is NOBODY:
        return {"proved": False}
    return {
        "proved": True,
        "id": who["id"],
        "username": question["username"],  # a lookup that ignores case returns the stored spelling
        "roles": who["roles"],
        "disabled": who["disabled"],
    }


def sub_of(id):
    """What fob calls the person with this id."""
    fields = [b"fob own user 1", id.encode()]
    digest = hashlib.sha256(b"".join(len(f).to_bytes(4, "big") + f for f in fields)).digest()[:16]
    return "u_" + base64.b32encode(digest).decode().rstrip("=").lower()


class Endpoint(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer = json.dumps(handler(json.loads(body))).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Endpoint).serve_forever()
