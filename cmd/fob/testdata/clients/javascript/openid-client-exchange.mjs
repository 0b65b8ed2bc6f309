// openid-client logs in with an ID token and with an assertion of another issuer. $FOB is
// the first line of `fob serve --json`, and $PROOF what the issuer signed.
import assert from 'node:assert/strict'
import * as client from 'openid-client'

const fob = JSON.parse(process.env.FOB)
const proof = JSON.parse(process.env.PROOF)
const app = await client.discovery(new URL(fob.issuer), proof.client_id, undefined, client.None(),
  { algorithm: 'oauth2', execute: [client.allowInsecureRequests] }) // no https on a laptop

const refused = (error) => (err) => {
  assert.ok(err instanceof client.ResponseBodyError, `${err}`)
  assert.equal(err.error, error)
  assert.equal(err.status, 400)
  return true
}
const exchange = (device, nonce = proof.nonce) =>
  client.genericGrantRequest(app, 'urn:ietf:params:oauth:grant-type:token-exchange', {
    subject_token: proof.id_token,
    subject_token_type: 'urn:ietf:params:oauth:token-type:id_token',
    scope: `read device_${device}`,
    nonce,
  })
const asserted = (device) =>
  client.genericGrantRequest(app, 'urn:ietf:params:oauth:grant-type:jwt-bearer', { assertion: proof.assertion, scope: `read device_${device}` })

for (const login of [exchange, asserted]) {
  const phone = await login('phone')
  assert.equal(phone.scope, 'read device_phone')
  assert.ok(phone.expiresIn() > 0)
  assert.equal((await login('phone')).access_token, phone.access_token)
  const tablet = await login('tablet')
  assert.notEqual(tablet.access_token, phone.access_token)

  const rotated = await client.refreshTokenGrant(app, phone.refresh_token)
  assert.notEqual(rotated.refresh_token, phone.refresh_token)
  await client.tokenRevocation(app, rotated.refresh_token)
  await assert.rejects(client.refreshTokenGrant(app, rotated.refresh_token), refused('invalid_grant'))
  await client.refreshTokenGrant(app, tablet.refresh_token)
  assert.notEqual((await login('phone')).access_token, phone.access_token)
}
assert.equal((await exchange('phone')).issued_token_type, 'urn:ietf:params:oauth:token-type:access_token')
// Both proved one user.
assert.equal((await exchange('watch')).access_token, (await asserted('watch')).access_token)
await assert.rejects(exchange('phone', 'of somebody else'), refused('invalid_request'))
