"""Authlib authenticates with a key in the place of a secret (private_key_jwt). $FOB is the
first line of `fob serve --json`, and $PROOF has the key."""

import json
import os

os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # no https on a laptop

import requests
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from joserfc.jwk import ECKey

fob, proof = json.loads(os.environ["FOB"]), json.loads(os.environ["PROOF"])
metadata = requests.get(fob["metadata_endpoint"], timeout=10).json()


def login(jwk, audience):
    session = OAuth2Session(proof["signer"], ECKey.import_key(jwk), token_endpoint_auth_method="private_key_jwt")
    # What it calls the token endpoint is aud and nothing else.
    session.register_client_auth_method(PrivateKeyJWT(audience, headers={"kid": jwk["kid"]}, alg="ES256"))
    return dict(session.fetch_token(metadata["token_endpoint"], grant_type="client_credentials", scope="read"))


def refused(*args):
    try:
        login(*args)
    except OAuthError as e:
        assert e.error == "invalid_client", e
    else:
        raise AssertionError("not refused")


own = login(proof["key"], metadata["issuer"])
assert own["scope"] == "read", own
assert login(proof["key"], metadata["issuer"])["access_token"] == own["access_token"]
refused(proof["forged"], metadata["issuer"])
refused(proof["key"], metadata["token_endpoint"])
