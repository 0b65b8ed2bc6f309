// jose as an API uses it, which verifies JWT access tokens by itself (RFC 9068). $FOB is
// the first line of `fob serve --json --token-format jwt`.
import assert from 'node:assert/strict'
import * as jose from 'jose'

const fob = JSON.parse(process.env.FOB)
const metadata = await (await fetch(`${fob.issuer}/.well-known/openid-configuration`)).json()
assert.equal(metadata.issuer, fob.issuer)
const keys = jose.createRemoteJWKSet(new URL(metadata.jwks_uri))

const login = async (device) => {
  const response = await fetch(metadata.token_endpoint, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'password', client_id: fob.client_id, client_secret: fob.client_secret,
      username: fob.username, password: fob.password, scope: `read ${device}`,
    }),
  })
  assert.equal(response.status, 200)
  return response.json()
}
const verify = (token, audience = fob.resource_client_id) =>
  jose.jwtVerify(token, keys, { issuer: fob.issuer, audience, typ: 'at+jwt', algorithms: ['RS256'], requiredClaims: ['sub', 'client_id', 'iat', 'exp', 'jti'] })

const first = await login('device_ipad')
const { payload, protectedHeader } = await verify(first.access_token)
assert.equal(payload.scope, 'read device_ipad')
assert.equal(payload.client_id, fob.client_id)
assert.equal(payload.exp - payload.iat, 600)
assert.match(payload.sub, /^u_/)
assert.deepEqual(Object.keys(protectedHeader).sort(), ['alg', 'kid', 'typ'])

// The promise: the same token again, and another one for another device.
assert.equal((await login('device_ipad')).access_token, first.access_token)
assert.notEqual((await login('device_iphone')).access_token, first.access_token)

// Not for another audience, and not after a change.
await assert.rejects(verify(first.access_token, 'elsewhere'), jose.errors.JWTClaimValidationFailed)
const [header, body, signature] = first.access_token.split('.')
const forged = jose.base64url.encode(JSON.stringify({ ...payload, scope: 'write' }))
await assert.rejects(verify(`${header}.${forged}.${signature}`), jose.errors.JWSSignatureVerificationFailed)
assert.ok(body)
