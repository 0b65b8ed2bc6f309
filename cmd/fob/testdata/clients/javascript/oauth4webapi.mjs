// oauth4webapi as its users configure it: everything from discovery, nothing of
// fob's own. $FOB is the first line of `fob serve --json`.
import assert from 'node:assert/strict'
import * as oauth from 'oauth4webapi'

const fob = JSON.parse(process.env.FOB)
const issuer = new URL(fob.issuer)
const http = { [oauth.allowInsecureRequests]: true } // no https on a laptop

const found = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...http })
assert.match(found.headers.get('cache-control'), /^public, max-age=\d+$/)
const as = await oauth.processDiscoveryResponse(issuer, found)
assert.equal(as.issuer, fob.issuer)
assert.equal(as.introspection_endpoint, fob.introspection_endpoint)
assert.equal(as.authorization_endpoint, undefined)

const client = { client_id: fob.client_id }
const app = { client_id: fob.public_client_id }
const api = { client_id: fob.resource_client_id }
const apiAuth = oauth.ClientSecretBasic(fob.resource_client_secret)

const introspect = async (token) =>
  oauth.processIntrospectionResponse(as, api, await oauth.introspectionRequest(as, api, apiAuth, token, http))

// Both ways to send a secret.
for (const auth of [oauth.ClientSecretBasic(fob.client_secret), oauth.ClientSecretPost(fob.client_secret)]) {
  const own = await oauth.processClientCredentialsResponse(as, client,
    await oauth.clientCredentialsGrantRequest(as, client, auth, { scope: 'read' }, http))
  assert.equal(own.token_type, 'bearer')
  assert.equal(own.scope, 'read')
  assert.equal(own.refresh_token, undefined)
  assert.ok(own.expires_in > 0)

  // The password grant has no function of its own there.
  const user = await oauth.processGenericTokenEndpointResponse(as, client,
    await oauth.genericTokenEndpointRequest(as, client, auth, 'password',
      { username: fob.username, password: fob.password, scope: 'read device_ipad' }, http))
  assert.equal(user.scope, 'read device_ipad')

  const refreshed = await oauth.processRefreshTokenResponse(as, client,
    await oauth.refreshTokenGrantRequest(as, client, auth, user.refresh_token, http))
  assert.equal(refreshed.access_token, user.access_token) // it is young
  assert.equal(refreshed.refresh_token, user.refresh_token)

  const told = await introspect(user.access_token)
  assert.equal(told.active, true)
  assert.equal(told.iss, as.issuer)
  assert.equal(told.client_id, fob.client_id)
  assert.equal(told.device, 'ipad')
  assert.deepEqual(told.aud, [fob.resource_client_id])

  await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, auth, user.refresh_token, http))
  assert.deepEqual(await introspect(user.access_token), { active: false })
  // Once more: a client that lost the answer.
  await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, auth, user.refresh_token, http))

  // A refresh token that is no good any more.
  await assert.rejects(
    async () => oauth.processRefreshTokenResponse(as, client,
      await oauth.refreshTokenGrantRequest(as, client, auth, user.refresh_token, http)),
    (err) => {
      assert.ok(err instanceof oauth.ResponseBodyError)
      assert.equal(err.error, 'invalid_grant')
      assert.equal(err.status, 400)
      return true
    })
}

// A public client has no secret; its refresh token rotates.
const login = await oauth.processGenericTokenEndpointResponse(as, app,
  await oauth.genericTokenEndpointRequest(as, app, oauth.None(), 'password',
    { username: fob.username, password: fob.password, scope: 'devices device_pixel' }, http))
const rotate = async () => oauth.processRefreshTokenResponse(as, app,
  await oauth.refreshTokenGrantRequest(as, app, oauth.None(), login.refresh_token, http))
const rotated = await rotate()
assert.notEqual(rotated.refresh_token, login.refresh_token)
assert.equal((await rotate()).refresh_token, rotated.refresh_token) // the reply was lost

// Errors: the code in the body, or the challenge where there is one.
const challenge = async (request, scheme, error) => assert.rejects(request, (err) => {
  assert.ok(err instanceof oauth.WWWAuthenticateChallengeError)
  assert.equal(err.cause[0].scheme, scheme)
  assert.equal(err.cause[0].parameters.realm, 'fob')
  assert.equal(err.cause[0].parameters.error, error)
  return true
})
const wrong = oauth.ClientSecretBasic('not the secret')
await challenge(async () => oauth.processClientCredentialsResponse(as, client,
  await oauth.clientCredentialsGrantRequest(as, client, wrong, {}, http)), 'basic')
await challenge(async () => oauth.processIntrospectionResponse(as, api,
  await oauth.introspectionRequest(as, api, wrong, login.access_token, http)), 'basic')
await challenge(async () => oauth.processRevocationResponse(
  await oauth.revocationRequest(as, client, wrong, login.access_token, http)), 'basic')
await assert.rejects(
  async () => oauth.processClientCredentialsResponse(as, client,
    await oauth.clientCredentialsGrantRequest(as, client, oauth.ClientSecretBasic(fob.client_secret), { scope: 'admin' }, http)),
  (err) => err instanceof oauth.ResponseBodyError && err.error === 'invalid_scope')

// A resource: /devices with the token, and with one that is no good any more.
const devices = (token) => oauth.protectedResourceRequest(token, 'GET', new URL('/devices', issuer), undefined, undefined, http)
const listed = await (await devices(rotated.access_token)).json()
assert.deepEqual(listed.devices.map((d) => [d.device, d.client_id, d.current]), [['pixel', fob.public_client_id, true]])
await oauth.processRevocationResponse(await oauth.revocationRequest(as, app, oauth.None(), rotated.access_token, http))
await challenge(() => devices(rotated.access_token), 'bearer', 'invalid_token')
