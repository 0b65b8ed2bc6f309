package assertiontest

import "testing"

// RoleARN is the subject of the tokens of [RoleClaims].
const RoleARN = "arn:aws:iam::123456789012:role/nightly"

// NewAWS starts a server that shows what AWS STS shows for an account that has outbound
// identity federation: an issuer of the account's own, and a key each for RS256 and ES384,
// of which the first names no algorithm. On AWS the account is part of the host.
func NewAWS(t testing.TB) *Issuer {
	t.Helper()
	return start(t, kind{
		path:     "/a103a2cc-b461-473d-84fe-6c4f6d45af88",
		keysPath: "/.well-known/jwks.json",
		document: func(url string) Members {
			return Members{
				"issuer": url, "jwks_uri": url + "/.well-known/jwks.json",
				"claims_supported":                      []string{"sub", "iss", "aud", "exp", "iat", "jti", "https://sts.amazonaws.com/"},
				"id_token_signing_alg_values_supported": []string{"RS256", "ES384"},
				"subject_types_supported":               []string{"public"},
			}
		},
		jwk: func(k Key) Members {
			m := k.JWK()
			if k.Algorithm == "RS256" {
				delete(m, "alg")
			}
			return m
		},
	}, NewKey(t, "RS256"), NewKey(t, "ES384"))
}

// Keys are all that the set shows.
func (i *Issuer) Keys() []Key {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]Key(nil), i.keys...)
}

// RoleClaims are those of a token of [RoleARN], as the STS action GetWebIdentityToken makes
// it for a Lambda function that asks for this audience at that time.
func RoleClaims(issuer, audience string, now int64) Members {
	return Members{
		"iss": issuer, "aud": audience, "sub": RoleARN, "iat": now, "exp": now + 300, "jti": "0c8b1e2f-5a77-4a4e-9d5e-1f6f1b2c3d4e",
		"https://sts.amazonaws.com/": Members{
			"principal_id": RoleARN, "aws_account": "123456789012", "source_region": "eu-central-1", "org_id": "o-abc1234567",
			"ou_path":                    "o-a1b2c3d4e5/r-ab12/ou-ab12-11111111/",
			"principal_tags":             Members{"environment": "production"},
			"lambda_source_function_arn": "arn:aws:lambda:eu-central-1:123456789012:function:nightly",
		},
	}
}
