package wire

import (
	"net/http"

	"github.com/fob-oauth/fob/internal/bearer"
	"github.com/fob-oauth/fob/internal/oauth"
)

// DeviceLabels is the part of the resource [Devices] that writes something:
//
//	PATCH .../devices/{device}   {"label": "Ann's phone"}, or null for none
//
// It takes the tokens that end that device: an access token for its own, a refresh token for
// any. It is apart from Devices, so that the function of those cannot write sign-ins.
func DeviceLabels(verifier *oauth.Verifier, signIns *oauth.SignIns, o Options) http.Handler {
	return newHandler("account", o, func(w http.ResponseWriter, r *http.Request) (answer, error) {
		parent, last := lastSegments(r.URL.Path)
		if parent != devicesSegment || last == "" {
			return answer{}, errNothingHere
		}
		if r.Method != http.MethodPatch {
			return answer{}, errMethodNotIn(http.MethodPatch)
		}
		named, err := parseDevice(last)
		if err != nil {
			return answer{}, err
		}
		caller, err := holderOf(w, r, verifier, oauth.DevicesScope)
		if err != nil {
			return answer{}, o.describedAt(DevicesMetadataPath, err)
		}
		handle := named.handleFor(caller.Subject)
		if caller.Kind != bearer.Refresh && handle != oauth.HandleOf(caller.Subject, caller.Scope.Device()) {
			return answer{}, refuseResource(oauth.UnsupportedTokenType, "an access token labels its own device alone: send the refresh token as the bearer to label others")
		}
		var text string
		read, err := readObject(w, r, map[string]any{"label": &text}, mergePatch)
		if err != nil {
			return answer{}, err
		}
		if read["label"] == nil || read.Has("label") && text == "" { // a slip; null takes it away
			return answer{}, invalidRequest("label is missing or empty")
		}
		label, fault := oauth.NormalLabel(text)
		if fault != nil {
			return answer{}, invalid(fault)
		}
		found, err := signIns.SetLabel(r.Context(), caller.Subject, handle, label)
		if err == nil && !found {
			err = &oauth.Error{Code: oauth.NotFound, Description: "nobody is signed in on such a device"}
		}
		return done(r.Context(), oauth.Changed, err)
	})
}

// AccountAndDeviceLabels is both resources of the function that writes for signed-in users.
func AccountAndDeviceLabels(verifier *oauth.Verifier, a *oauth.Account, o Options) http.Handler {
	account, labels := Account(verifier, a, o), DeviceLabels(verifier, a.SignIns, o)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPatch {
			labels.ServeHTTP(w, r)
			return
		}
		account.ServeHTTP(w, r)
	})
}
