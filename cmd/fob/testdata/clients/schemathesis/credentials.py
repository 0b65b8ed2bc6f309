"""Hooks of schemathesis: half of the forms and all resources get true credentials.

$FOB is the first line of `fob serve --json`.
"""

import json
import os
import zlib

import requests
import schemathesis

FOB = json.loads(os.environ["FOB"])
CLIENT = (FOB["client_id"], FOB["client_secret"])
LOGIN = {"grant_type": "password", "username": FOB["username"], "password": FOB["password"], "scope": "read devices device_ipad"}


class User:
    """A refresh token, which /devices takes, and an access token of the same login."""

    tokens = None

    def get(self):
        # Some requests sign the user out.
        if self.tokens is None or not self.lives():
            response = requests.post(FOB["token_endpoint"], auth=CLIENT, data=LOGIN)
            response.raise_for_status()
            self.tokens = response.json()
        return self.tokens

    def lives(self):
        bearer = {"Authorization": "Bearer " + self.tokens["access_token"]}
        return requests.get(FOB["me_endpoint"], headers=bearer).status_code == 200


USER = User()


@schemathesis.auth(refresh_interval=None).apply_to(path_regex="^/(devices|me)")
class Bearer:
    def get(self, case, context):
        kind = "access_token" if case.operation.path == "/me" else "refresh_token"
        return USER.get()[kind]

    def set(self, case, token, context):
        case.headers["Authorization"] = "Bearer " + token


@schemathesis.hook
def before_call(context, case, kwargs):
    """Half of the forms, chosen by their content, get what is true in place of what was made up."""
    if case.query and "after" in case.query:
        case.query["after"] = ""  # only fob makes these; an empty one is none
    form = case.body
    if case.media_type != "application/x-www-form-urlencoded" or not isinstance(form, dict):
        return
    if case.operation.path.startswith("/devices") or zlib.crc32(repr(sorted(form.items())).encode()) % 2:
        return
    for name in ("client_id", "client_secret", "client_assertion", "client_assertion_type"):
        form.pop(name, None)
    client = (FOB["resource_client_id"], FOB["resource_client_secret"]) if case.operation.path == "/introspect" else CLIENT
    kwargs["auth"] = client
    if "username" in form and "password" in form:
        form.update(username=FOB["username"], password=FOB["password"])
    if "token" in form:
        form["token"] = USER.get()["access_token"]
    if "refresh_token" in form:
        form["refresh_token"] = USER.get()["refresh_token"]
        form.pop("scope", None)
    elif "scope" in form:
        form["scope"] = "read " + "device_" + str(len(str(form["scope"])))
    for name in ("resource", "tokenBindingId"):
        form.pop(name, None)
