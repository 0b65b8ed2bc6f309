package laptop

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/rs/cors"
)

// AllowOrigins returns what lets scripts of pages read the answers of a handler, if the
// page is from one of the origins, as the gateway of template.yaml does
// (CorsConfiguration). It answers their preflight requests. Without origins it changes
// nothing. Its error is for an origin that no browser sends.
//
// There is no Access-Control-Allow-Credentials: it is for cookies, and fob has none.
func AllowOrigins(origins []string) (func(http.Handler) http.Handler, error) {
	if len(origins) == 0 {
		return func(h http.Handler) http.Handler { return h }, nil // to the library no origins are all
	}
	var faults []error
	for _, origin := range origins {
		if !isOrigin(origin) && origin != anyOrigin {
			faults = append(faults, fmt.Errorf("%q is not an origin such as https://app.example.com or capacitor://localhost", origin))
		}
	}
	if len(origins) > 1 && slices.Contains(origins, anyOrigin) {
		faults = append(faults, errors.New("* is all origins, so there is no other one to name"))
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	c := cors.New(cors.Options{
		AllowedOrigins: origins,
		AllowedMethods: []string{http.MethodGet, http.MethodPost, http.MethodPatch, http.MethodDelete},
		AllowedHeaders: []string{"Authorization", "Content-Type"},
		ExposedHeaders: []string{"WWW-Authenticate", "Retry-After", "Date"},
		MaxAge:         7200, // seconds; no browser keeps it for longer than a day
	})
	return func(h http.Handler) http.Handler { return asBrowsersWrite(c.Handler(h)) }, nil
}

// asBrowsersWrite sorts the names that a preflight asks for, in lower case. Browsers do so
// (the Fetch standard's CORS-preflight fetch), and the library refuses others. jsdom and
// people with curl do not.
func asBrowsersWrite(h http.Handler) http.Handler {
	const name = "Access-Control-Request-Headers"
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked := r.Header.Get(name); asked != "" {
			names := strings.FieldsFunc(strings.ToLower(asked), func(c rune) bool { return c == ',' || c == ' ' })
			slices.Sort(names)
			r.Header.Set(name, strings.Join(names, ","))
		}
		h.ServeHTTP(w, r)
	})
}

const anyOrigin = "*"

// isOrigin reports an origin as browsers write it (RFC 6454 §6.2): in lower case, in
// ASCII, and without the port that the scheme has anyway. The library would read a * within
// it as a pattern. null is not an origin to allow: every sandboxed page has it.
func isOrigin(text string) bool {
	u, err := url.Parse(text)
	return err == nil && u.Scheme != "" && u.Hostname() != "" && u.Scheme+"://"+u.Host == text &&
		isOriginPort(u) && !strings.ContainsFunc(text, notInOrigin)
}

func isOriginPort(u *url.URL) bool {
	port := u.Port()
	if port == "" {
		return !strings.HasSuffix(u.Host, ":")
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && strconv.FormatUint(n, 10) == port && port != map[string]string{"http": "80", "https": "443"}[u.Scheme]
}

func notInOrigin(c rune) bool { return c == '*' || 'A' <= c && c <= 'Z' || c > '~' }
