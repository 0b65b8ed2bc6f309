"""requests-oauthlib as its users configure it. $FOB is the first line of `fob serve --json`."""

import json
import os

os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"  # no https on a laptop

from oauthlib.oauth2 import LegacyApplicationClient
from oauthlib.oauth2.rfc6749.errors import InvalidClientError, InvalidGrantError
from requests.auth import HTTPBasicAuth
from requests_oauthlib import OAuth2Session

fob = json.loads(os.environ["FOB"])
basic = HTTPBasicAuth(fob["client_id"], fob["client_secret"])


def login(scope, client=fob["client_id"], **how):
    session = OAuth2Session(client=LegacyApplicationClient(client, scope=scope))
    session.fetch_token(fob["token_endpoint"], username=fob["username"], password=fob["password"], **how)
    return session


def raises(kind, call):
    try:
        call()
    except kind as e:
        return e
    raise AssertionError(f"no {kind}")


def revoke(session, token, **how):
    """The library below makes the request, and refuses to make it for an address without https."""
    client = LegacyApplicationClient(fob["client_id"])
    _, headers, body = client.prepare_token_revocation_request(fob["revocation_endpoint"].replace("http:", "https:", 1), token)
    answer = session.post(fob["revocation_endpoint"], data=body, headers=headers, withhold_token=True, **how)
    assert answer.status_code == 200, answer.text


for how in (
    {"client_secret": fob["client_secret"]},
    {"auth": basic},
    {"client_secret": fob["client_secret"], "include_client_id": True},
):
    ipad = login(["read", "device_ipad"], **how)
    assert login(["device_ipad", "read"], **how).access_token == ipad.access_token
    iphone = login(["read", "device_iphone"], **how)
    assert iphone.access_token != ipad.access_token
    young = ipad.access_token
    assert ipad.refresh_token(fob["token_endpoint"], auth=basic)["access_token"] == young
    revoke(ipad, young, auth=basic)
    assert ipad.get(fob["me_endpoint"]).status_code == 401
    assert iphone.get(fob["me_endpoint"]).json()["device"] == "iphone"
    raises(InvalidGrantError, lambda: ipad.refresh_token(fob["token_endpoint"], auth=basic))

# The library takes another scope than the one that was asked for as a fault. A client
# with default scopes gets them with its device, so it asks for all.
changed = raises(Warning, lambda: login(["device_ipad"], client_secret=fob["client_secret"]))
assert "Scope has changed" in str(changed), changed

# A public client sends its id as Basic with an empty password.
app = login(["read", "device_pixel"], fob["public_client_id"], client_secret="")
first = dict(app.token)
assert app.refresh_token(fob["token_endpoint"], client_id=fob["public_client_id"])["refresh_token"] != first["refresh_token"]
assert app.get(fob["me_endpoint"]).json()["device"] == "pixel"

raises(InvalidClientError, lambda: login(["read"], client_secret="not the secret"))
