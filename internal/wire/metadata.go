package wire

import (
	"net/http"
	"slices"
	"strings"

	"github.com/fob-oauth/fob/internal/oauth"
)

// metadataAge is for how long the document may be kept, in seconds. It changes with
// a deployment, and then clients learn of it within this.
const metadataAge = 3600

// Metadata is the document that says to clients where the endpoints are and what
// they can do (RFC 8414). grants are those that the deployment offers. At
// [MeMetadataPath] and [DevicesMetadataPath] it is the one of that resource (RFC 9728).
//
// The endpoints are below the issuer, so Options.Issuer must be an address under
// which they answer.
func Metadata(grants []oauth.GrantType, o Options) http.Handler {
	return newHandler("metadata", o, func(_ http.ResponseWriter, r *http.Request) (answer, error) {
		if !isRead(r.Method) {
			return answer{}, errMethodNotIn(reads...)
		}
		issuer := o.issuerOf(r)
		if issuer == "" {
			return answer{}, invalidRequest("the request names no host")
		}
		oauth.EventOf(r.Context()).Outcome = oauth.Described
		base := strings.TrimSuffix(issuer, "/")
		if resource, ok := resourceAt(r.URL.Path, issuer, base); ok {
			a, err := jsonAnswer(resource)
			a.maxAge = metadataAge
			return a, err
		}
		secrets := []string{"client_secret_basic", "client_secret_post"}
		orNone := append(slices.Clone(secrets), "none")
		document := metadataJSON{
			Issuer:                issuer,
			TokenEndpoint:         base + TokenPath,
			TokenAuthMethods:      append(slices.Clone(orNone), "private_key_jwt"), // /token alone: decision 44
			TokenAuthAlgorithms:   oauth.Algorithms(),
			GrantTypes:            grants,
			RevocationEndpoint:    base + RevokePath,
			RevocationAuthMethods: orNone,
			IntrospectionEndpoint: base + IntrospectPath,
			IntrospectionMethods:  secrets, // public clients may not ask
			KeySet:                base + KeySetPath,
		}
		if strings.HasSuffix(r.URL.Path, OpenIDMetadataPath) {
			document.SubjectTypes = []string{"public"} // sub is one for all clients
		}
		a, err := jsonAnswer(document)
		a.maxAge = metadataAge
		return a, err
	})
}

// resourceAt is the document of a resource that the path names, below a stage or a
// mapping as well.
func resourceAt(path, issuer, base string) (resourceJSON, bool) {
	d := resourceJSON{Servers: []string{issuer}, Methods: []string{"header"}}
	switch {
	case strings.HasSuffix(path, MeMetadataPath):
		d.Resource = base + MePath
	case strings.HasSuffix(path, DevicesMetadataPath):
		d.Resource, d.Scopes = base+DevicesPath, []string{oauth.DevicesScope}
	default:
		return resourceJSON{}, false
	}
	return d, true
}

// resourceJSON is the document of RFC 9728 §2. The scope of /devices is part of fob, so
// it is public. /me asks for none.
type resourceJSON struct {
	Resource string   `json:"resource"`
	Servers  []string `json:"authorization_servers"`
	Scopes   []string `json:"scopes_supported,omitempty"`
	Methods  []string `json:"bearer_methods_supported"`
}

// metadataJSON is the document of RFC 8414 §2. It has no member without a value
// (§3.2), and so no response_types_supported, although §2 requires that: there is no
// authorization endpoint. docs/decisions/0016 lists other servers that do so.
// scopes_supported is left out too, because the names of scopes are not public.
type metadataJSON struct {
	Issuer                string            `json:"issuer"`
	TokenEndpoint         string            `json:"token_endpoint"`
	TokenAuthMethods      []string          `json:"token_endpoint_auth_methods_supported"`
	TokenAuthAlgorithms   []string          `json:"token_endpoint_auth_signing_alg_values_supported"`
	GrantTypes            []oauth.GrantType `json:"grant_types_supported"` // without it, RFC 8414 means code and implicit
	RevocationEndpoint    string            `json:"revocation_endpoint"`
	RevocationAuthMethods []string          `json:"revocation_endpoint_auth_methods_supported"`
	IntrospectionEndpoint string            `json:"introspection_endpoint"`
	IntrospectionMethods  []string          `json:"introspection_endpoint_auth_methods_supported"`
	KeySet                string            `json:"jwks_uri"`
	// OpenID Connect Discovery §3 requires it. Clients that try that document first, such as
	// Spring Security, give up if it is missing.
	SubjectTypes []string `json:"subject_types_supported,omitempty"`
}
