// openid-client authenticates without a secret. $FOB is the first line of `fob serve
// --json`, and $PROOF has the key of one client and what a platform signed about another.
import assert from 'node:assert/strict'
import * as client from 'openid-client'

const fob = JSON.parse(process.env.FOB)
const proof = JSON.parse(process.env.PROOF)
const discover = (id, auth) => client.discovery(new URL(fob.issuer), id, undefined, auth,
  { algorithm: 'oauth2', execute: [client.allowInsecureRequests] }) // no https on a laptop
const signing = async (jwk, options) => client.PrivateKeyJwt(
  { key: await crypto.subtle.importKey('jwk', jwk, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']), kid: jwk.kid }, options)
// The token of a platform, as a function of the kind that openid-client takes.
const workload = (as, me, body) => {
  body.set('client_id', me.client_id)
  body.set('client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer')
  body.set('client_assertion', proof.token)
}

for (const [id, auth] of [[proof.signer, await signing(proof.key)], [proof.workload, workload]]) {
  const config = await discover(id, auth)
  const own = await client.clientCredentialsGrant(config, { scope: 'read' })
  assert.equal(own.scope, 'read')
  assert.ok(own.expiresIn() > 0)
  assert.equal((await client.clientCredentialsGrant(config, { scope: 'read' })).access_token, own.access_token)
}

const refused = async (id, auth) => assert.rejects(
  client.clientCredentialsGrant(await discover(id, auth), { scope: 'read' }), (err) => err.status === 401 || assert.fail(`${err}`))
await refused(proof.signer, await signing(proof.forged))
await refused(proof.signer, await signing({ ...proof.forged, kid: proof.key.kid }))
await refused(proof.signer, workload)
await refused(proof.workload, await signing(proof.key))
// The address of the token endpoint is not fob's name.
await refused(proof.signer, await signing(proof.key, { [client.modifyAssertion]: (_, payload) => { payload.aud = fob.token_endpoint } }))
