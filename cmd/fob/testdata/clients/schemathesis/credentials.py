"""Hooks of schemathesis: half of the forms and all resources get true credentials, and half of
what is about a user is about one who exists.

$FOB is the first line of `fob serve --json`.
"""

import functools
import itertools
import json
import os
import zlib

import requests
import schemathesis
from schemathesis.core.parameters import ParameterLocation

FOB = json.loads(os.environ["FOB"])
CLIENT = (FOB["client_id"], FOB["client_secret"])
LOGIN = {"grant_type": "password", "username": FOB["username"], "password": FOB["password"], "scope": "read devices device_ipad"}

# One connection. What a request does not end is kept: more requests were made for
# credentials than with them.
OWN = requests.Session()


class User:
    """A refresh token, which /devices takes, and an access token of the same login."""

    tokens = None
    in_doubt = False

    def get(self):
        if self.tokens is None or self.in_doubt and not self.lives():
            response = OWN.post(FOB["token_endpoint"], auth=CLIENT, data=LOGIN)
            response.raise_for_status()
            self.tokens = response.json()
        self.in_doubt = False
        return self.tokens

    def lives(self):
        bearer = {"Authorization": "Bearer " + self.tokens["access_token"]}
        return OWN.get(FOB["me_endpoint"], headers=bearer).status_code == 200


USER = User()


@functools.cache
def of_back_end():
    form = {"grant_type": "client_credentials", "scope": "users sign-out"}
    return OWN.post(FOB["token_endpoint"], auth=CLIENT, data=form).json()["access_token"]


def add_user(names=itertools.count(), **members):
    user = {"username": f"user-{next(names)}", **members}
    response = OWN.post(FOB["issuer"] + "/users", headers={"Authorization": "Bearer " + of_back_end()}, json=user)
    response.raise_for_status()
    return response.json()["id"]


class Somebody:
    """A refresh token of a user of its own, who may get a few wrong passwords at /account."""

    uses_left = 0

    def get(self, names=itertools.count()):
        if self.uses_left == 0:
            user = {"username": f"somebody-{next(names)}", "password": "long enough for it"}
            add_user(**user)
            login = {"grant_type": "password", "scope": "account device_ipad", **user}
            self.token = OWN.post(FOB["token_endpoint"], auth=CLIENT, data=login).json()["refresh_token"]
            self.uses_left = 4
        self.uses_left -= 1
        return self.token


SOMEBODY = Somebody()


@schemathesis.hook
def after_call(context, case, response):
    """Some requests end a sign-in, and a login ends that of the device that is one too many."""
    if response.status_code < 300 and case.operation.path.startswith(("/devices", "/revoke", "/token")):
        USER.in_doubt = True
    if response.status_code < 300 and case.operation.path.startswith("/account"):
        SOMEBODY.uses_left = 0


@schemathesis.auth(refresh_interval=None).apply_to(path_regex="^/(account|devices|me|users|sign-out)")
class Bearer:
    def get(self, case, context):
        if case.operation.path.startswith(("/users", "/sign-out")):
            return of_back_end()
        if case.operation.path.startswith("/account"):
            return SOMEBODY.get()
        kind = "access_token" if case.operation.path == "/me" else "refresh_token"
        return USER.get()[kind]

    def set(self, case, token, context):
        case.headers["Authorization"] = "Bearer " + token


@schemathesis.hook
def before_call(context, case, kwargs):
    """Half of the requests, chosen by their content, get what is true in place of what was made up."""
    made_up = zlib.crc32(repr((case.path_parameters, case.query, case.body)).encode()) % 2
    if case.query and "after" in case.query:
        case.query["after"] = ""  # only fob makes these; an empty one is none
    # With the id of somebody in the place of one that is wrong on purpose, a request may be
    # right by accident, and schemathesis does not expect that.
    wrong = case.meta is not None and case.meta.is_negative_at(ParameterLocation.PATH)
    if not made_up and not wrong and "id" in (case.path_parameters or {}):
        case.path_parameters["id"] = add_user()
    form = case.body
    if case.media_type != "application/x-www-form-urlencoded" or not isinstance(form, dict):
        return
    if case.operation.path.startswith("/devices") or made_up:
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
