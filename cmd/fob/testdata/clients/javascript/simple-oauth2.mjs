// simple-oauth2 as its users configure it. It wants JSON in every answer, that of
// /revoke included. $FOB is the first line of `fob serve --json`.
import assert from 'node:assert/strict'
import { ClientCredentials, ResourceOwnerPassword } from 'simple-oauth2'

const fob = JSON.parse(process.env.FOB)
const auth = { tokenHost: fob.issuer, tokenPath: '/token', revokePath: '/revoke' }
const client = { id: fob.client_id, secret: fob.client_secret }
const user = { username: fob.username, password: fob.password }

const refused = (error, status) => (err) => {
  assert.equal(err.data.payload.error, error)
  assert.equal(err.output.statusCode, status)
  return true
}

for (const authorizationMethod of ['header', 'body']) {
  const backend = new ResourceOwnerPassword({ client, auth, options: { authorizationMethod } })
  const ipad = await backend.getToken({ ...user, scope: 'read device_ipad' })
  assert.equal(ipad.token.scope, 'read device_ipad')
  assert.equal(ipad.expired(), false)
  const again = await backend.getToken({ ...user, scope: ['device_ipad', 'read'] })
  assert.equal(again.token.access_token, ipad.token.access_token)
  const iphone = await backend.getToken({ ...user, scope: 'read device_iphone' })
  assert.notEqual(iphone.token.access_token, ipad.token.access_token)
  assert.equal((await ipad.refresh()).token.access_token, ipad.token.access_token) // it is young

  await ipad.revoke('access_token')
  await ipad.revokeAll() // a client that lost the answer
  await assert.rejects(ipad.refresh(), refused('invalid_grant', 400))
  assert.equal((await iphone.refresh()).token.access_token, iphone.token.access_token)
  await iphone.revoke('refresh_token')

  const own = await new ClientCredentials({ client, auth, options: { authorizationMethod } }).getToken({ scope: 'read' })
  assert.equal(own.token.refresh_token, undefined)
  await own.revoke('access_token')
}

// A public client: an empty secret as Basic.
const app = new ResourceOwnerPassword({ client: { id: fob.public_client_id, secret: '' }, auth })
const login = await app.getToken({ ...user, scope: 'read device_pixel' })
const rotated = await login.refresh()
assert.notEqual(rotated.token.refresh_token, login.token.refresh_token)
await rotated.revoke('refresh_token')
await assert.rejects(rotated.refresh(), refused('invalid_grant', 400))

const wrong = new ResourceOwnerPassword({ client: { ...client, secret: 'not the secret' }, auth })
await assert.rejects(wrong.getToken({ ...user }), refused('invalid_client', 401))
