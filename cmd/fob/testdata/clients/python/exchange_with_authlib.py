"""Authlib logs in with an ID token and with an assertion of another issuer. $FOB is the
first line of `fob serve --json`, and $PROOF what the issuer signed."""

import json
import os

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # no https on a laptop

import requests
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session

fob, proof = json.loads(os.environ["FOB"]), json.loads(os.environ["PROOF"])
metadata = requests.get(fob["metadata_endpoint"], timeout=10).json()
app = OAuth2Session(proof["client_id"], token_endpoint_auth_method="none", revocation_endpoint_auth_method="none")


def exchange(device, nonce=proof["nonce"]):
    return dict(
        app.fetch_token(
            metadata["token_endpoint"],
            grant_type="urn:ietf:params:oauth:grant-type:token-exchange",
            subject_token=proof["id_token"],
            subject_token_type="urn:ietf:params:oauth:token-type:id_token",
            scope=f"read device_{device}",
            nonce=nonce,
        )
    )


def asserted(device):
    return dict(
        app.fetch_token(
            metadata["token_endpoint"],
            grant_type="urn:ietf:params:oauth:grant-type:jwt-bearer",
            assertion=proof["assertion"],
            scope=f"read device_{device}",
        )
    )


def refused(call, error):
    try:
        call()
    except OAuthError as e:
        assert e.error == error, e
    else:
        raise AssertionError(f"not refused with {error}")


def refresh(token):
    return dict(app.refresh_token(metadata["token_endpoint"], refresh_token=token["refresh_token"]))


for login in exchange, asserted:
    phone = login("phone")
    assert phone["scope"] == "read device_phone", phone
    assert login("phone")["access_token"] == phone["access_token"]
    tablet = login("tablet")
    assert tablet["access_token"] != phone["access_token"]

    rotated = refresh(phone)
    assert rotated["refresh_token"] != phone["refresh_token"]
    answer = app.revoke_token(metadata["revocation_endpoint"], token=rotated["refresh_token"])
    assert answer.status_code == 200, answer
    refused(lambda: refresh(rotated), "invalid_grant")
    refresh(tablet)
    assert login("phone")["access_token"] != phone["access_token"]

assert exchange("watch")["access_token"] == asserted("watch")["access_token"]  # both proved one user
refused(lambda: exchange("phone", "of somebody else"), "invalid_request")
