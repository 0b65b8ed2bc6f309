"""Authlib as its users configure it. $FOB is the first line of `fob serve --json`."""

import json
import os

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # no https on a laptop

import requests
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session

fob = json.loads(os.environ["FOB"])
metadata = requests.get(fob["metadata_endpoint"], timeout=10).json()
api = OAuth2Session(fob["resource_client_id"], fob["resource_client_secret"])


def introspect(token):
    return api.introspect_token(metadata["introspection_endpoint"], token=token).json()


def login(session, scope):
    return session.fetch_token(metadata["token_endpoint"], username=fob["username"], password=fob["password"], scope=scope)


def refused(call, error):
    try:
        call()
    except OAuthError as e:
        assert e.error == error, e
    else:
        raise AssertionError(f"not refused with {error}")


for method in metadata["token_endpoint_auth_methods_supported"]:
    if method in ("none", "private_key_jwt"):  # this client has a secret
        continue
    backend = OAuth2Session(
        fob["client_id"], fob["client_secret"], token_endpoint_auth_method=method, revocation_endpoint_auth_method=method
    )
    ipad = dict(login(backend, "read device_ipad"))
    assert ipad["scope"] == "read device_ipad", ipad
    assert login(backend, "device_ipad read")["access_token"] == ipad["access_token"]
    iphone = dict(login(backend, "read device_iphone"))
    assert iphone["access_token"] != ipad["access_token"]
    told = introspect(ipad["access_token"])
    assert told["active"] and told["device"] == "ipad" and told["username"] == fob["username"], told

    refresh = lambda: backend.refresh_token(metadata["token_endpoint"], refresh_token=ipad["refresh_token"])
    assert refresh()["access_token"] == ipad["access_token"]  # it is young
    answer = backend.revoke_token(metadata["revocation_endpoint"], token=ipad["access_token"], token_type_hint="access_token")
    assert answer.status_code == 200, answer
    assert introspect(ipad["access_token"]) == {"active": False}
    assert introspect(iphone["access_token"])["active"]
    refused(refresh, "invalid_grant")

# A public client.
app = OAuth2Session(fob["public_client_id"], token_endpoint_auth_method="none", revocation_endpoint_auth_method="none")
pixel = dict(login(app, "devices device_pixel"))
rotated = dict(app.refresh_token(metadata["token_endpoint"], refresh_token=pixel["refresh_token"]))
assert rotated["refresh_token"] != pixel["refresh_token"]
listed = app.get(fob["devices_endpoint"]).json()["devices"]
assert [d["device"] for d in listed if d["current"]] == ["pixel"], listed
app.revoke_token(metadata["revocation_endpoint"], token=rotated["refresh_token"])
assert introspect(rotated["access_token"]) == {"active": False}

wrong = OAuth2Session(fob["client_id"], "not the secret")
refused(lambda: login(wrong, "read"), "invalid_client")
refused(lambda: login(OAuth2Session(fob["client_id"], fob["client_secret"]), "admin"), "invalid_scope")
