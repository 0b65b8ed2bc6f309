package wire

import (
	"net/http"
	"slices"
	"strings"

	"github.com/fob-oauth/fob/internal/oauth"
)

// Where the endpoints are below the base address. The template and `fob serve`
// put them there.
const (
	TokenPath      = "/token"
	RevokePath     = "/revoke"
	IntrospectPath = "/introspect"
	DevicesPath    = "/devices"
	MePath         = "/me"
	// As a gateway spells them.
	DevicePath   = DevicesPath + "/{device}"
	SignOutPath  = DevicesPath + "/sign-out"
	MetadataPath = "/.well-known/oauth-authorization-server" // RFC 8414 §3
)

// metadataAge is for how long the document may be kept, in seconds. It changes with
// a deployment, and then clients learn of it within this.
const metadataAge = 3600

// Metadata is the document that says to clients where the endpoints are and what
// they can do (RFC 8414). grants are those that the deployment offers.
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
		secrets := []string{"client_secret_basic", "client_secret_post"}
		orNone := append(slices.Clone(secrets), "none")
		a, err := jsonAnswer(metadataJSON{
			Issuer:                issuer,
			TokenEndpoint:         base + TokenPath,
			TokenAuthMethods:      orNone,
			GrantTypes:            grants,
			RevocationEndpoint:    base + RevokePath,
			RevocationAuthMethods: orNone,
			IntrospectionEndpoint: base + IntrospectPath,
			IntrospectionMethods:  secrets, // public clients may not ask
		})
		a.maxAge = metadataAge
		return a, err
	})
}

// metadataJSON is the document of RFC 8414 §2. It has no member without a value
// (§3.2), and so no response_types_supported, although §2 requires that: there is no
// authorization endpoint. docs/decisions/0016 lists other servers that do so.
// scopes_supported is left out too, because the names of scopes are not public.
type metadataJSON struct {
	Issuer                string            `json:"issuer"`
	TokenEndpoint         string            `json:"token_endpoint"`
	TokenAuthMethods      []string          `json:"token_endpoint_auth_methods_supported"`
	GrantTypes            []oauth.GrantType `json:"grant_types_supported"` // without it, RFC 8414 means code and implicit
	RevocationEndpoint    string            `json:"revocation_endpoint"`
	RevocationAuthMethods []string          `json:"revocation_endpoint_auth_methods_supported"`
	IntrospectionEndpoint string            `json:"introspection_endpoint"`
	IntrospectionMethods  []string          `json:"introspection_endpoint_auth_methods_supported"`
}
