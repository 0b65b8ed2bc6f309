// openid-client as its users configure it. $FOB is the first line of `fob serve
// --json`.
import assert from 'node:assert/strict'
import * as client from 'openid-client'

const fob = JSON.parse(process.env.FOB)
const issuer = new URL(fob.issuer)
const discover = (id, secret, auth) =>
  client.discovery(issuer, id, secret, auth, { algorithm: 'oauth2', execute: [client.allowInsecureRequests] }) // no https on a laptop

const app = await discover(fob.public_client_id, undefined, client.None())
const api = await discover(fob.resource_client_id, fob.resource_client_secret)
const backends = [
  await discover(fob.client_id, fob.client_secret), // its default
  await discover(fob.client_id, undefined, client.ClientSecretBasic(fob.client_secret)),
  await discover(fob.client_id, undefined, client.ClientSecretPost(fob.client_secret)),
]
const server = app.serverMetadata()
assert.equal(server.issuer, fob.issuer)
assert.deepEqual(server.grant_types_supported, ['password', 'client_credentials', 'refresh_token', 'urn:ietf:params:oauth:grant-type:token-exchange', 'urn:ietf:params:oauth:grant-type:jwt-bearer'])
assert.equal(server.supportsPKCE(), false)

const body = (error, status) => (err) => {
  assert.ok(err instanceof client.ResponseBodyError, `${err}`)
  assert.equal(err.error, error)
  assert.equal(err.status, status)
  return true
}
const challenge = (scheme, error) => (err) => {
  assert.ok(err instanceof client.WWWAuthenticateChallengeError, `${err}`)
  assert.equal(err.cause[0].scheme, scheme)
  assert.equal(err.cause[0].parameters.error, error)
  return true
}
const password = (config, scope) =>
  client.genericGrantRequest(config, 'password', { username: fob.username, password: fob.password, scope })

for (const backend of backends) {
  const own = await client.clientCredentialsGrant(backend, { scope: 'read device_nightly' })
  assert.equal(own.scope, 'read device_nightly')
  assert.ok(own.expiresIn() > 0)
  assert.equal((await client.clientCredentialsGrant(backend, { scope: 'device_nightly read' })).access_token, own.access_token)

  const user = await password(backend, 'read device_ipad')
  const refreshed = await client.refreshTokenGrant(backend, user.refresh_token)
  assert.equal(refreshed.access_token, user.access_token)
  const told = await client.tokenIntrospection(api, user.access_token)
  assert.equal(told.active, true)
  assert.equal(told.username, fob.username)
  assert.equal(told.scope, 'read device_ipad')

  await client.tokenRevocation(backend, user.access_token)
  assert.deepEqual(await client.tokenIntrospection(api, user.access_token), { active: false })
  await assert.rejects(client.refreshTokenGrant(backend, user.refresh_token), body('invalid_grant', 400))
  await assert.rejects(client.clientCredentialsGrant(backend, { scope: 'admin' }), body('invalid_scope', 400))
}

const login = await password(app, 'devices device_pixel')
const rotated = await client.refreshTokenGrant(app, login.refresh_token)
assert.notEqual(rotated.refresh_token, login.refresh_token)
assert.equal((await client.refreshTokenGrant(app, login.refresh_token)).refresh_token, rotated.refresh_token)
await assert.rejects(client.clientCredentialsGrant(app), body('unauthorized_client', 400))
await assert.rejects(
  client.genericGrantRequest(app, 'password', { username: fob.username, password: 'wrong' }), body('invalid_grant', 400))
await assert.rejects(client.genericGrantRequest(app, 'authorization_code', { code: 'x' }), body('unsupported_grant_type', 400))

const wrong = await discover(fob.client_id, 'not the secret')
await assert.rejects(client.clientCredentialsGrant(wrong), challenge('basic'))
await assert.rejects(client.tokenIntrospection(wrong, login.access_token), challenge('basic'))
await assert.rejects(client.tokenRevocation(wrong, login.access_token), challenge('basic'))

// A resource: sign out everywhere, which takes a refresh token, and the access token is no good any more.
const at = (path) => new URL(path, issuer)
const form = new URLSearchParams({ which: 'all' })
const done = await client.fetchProtectedResource(app, rotated.refresh_token, at('/devices/sign-out'), 'POST', form)
assert.equal(done.status, 204)
await assert.rejects(
  client.fetchProtectedResource(app, rotated.access_token, at('/devices'), 'GET'), challenge('bearer', 'invalid_token'))
