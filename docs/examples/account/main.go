// Command account is an app and its back end in one program, from a person's first day to the
// last: signing up, signing in on two devices, a new password, and leaving. docs/account.md
// shows how to start it and what it prints.
//
//	FOB=http://localhost:8080 CRM_SECRET=... go run ./docs/examples/account
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
)

const (
	name    = "bob@example.com"
	first   = "blue lamp on a desk"
	second  = "green chair by a window"
	app     = "my-app" // public
	backEnd = "crm"
)

var fob = os.Getenv("FOB")

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	fmt.Println("Signs up.")
	if err := signUp(name, first); err != nil {
		return err
	}
	phone, tablet := &device{name: "phone"}, &device{name: "tablet"}
	see := func() { fmt.Printf("  phone: %s. tablet: %s.\n", phone.sees(), tablet.sees()) }

	fmt.Println("Signs in on both devices.")
	for _, d := range []*device{phone, tablet} {
		if err := d.signIn(first); err != nil {
			return err
		}
	}
	see()

	fmt.Println("Changes the password on the phone.")
	stays, err := phone.changePassword(first, second)
	if err != nil {
		return err
	}
	if !stays {
		if err := phone.signIn(second); err != nil {
			return err
		}
	}
	see()

	fmt.Println("Signs in on the tablet with the new password.")
	if err := tablet.signIn(second); err != nil {
		return err
	}
	see()

	fmt.Println("Deletes the account on the tablet.")
	if err := tablet.deleteAccount(second); err != nil {
		return err
	}
	see()
	fmt.Println("Tries to sign in:", phone.signIn(second))
	return nil
}

// signUp is the back end's. It proves first that the address is the person's, by mail say.
func signUp(name, password string) error {
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"users"}, "client_id": {backEnd}, "client_secret": {os.Getenv("CRM_SECRET")}}
	var token tokens
	if err := call(http.MethodPost, "/token", "", form, &token); err != nil {
		return err
	}
	return call(http.MethodPost, "/users", token.Access, map[string]string{"username": name, "password": password}, nil)
}

// device is the app on one device. An app keeps the tokens where the system keeps secrets.
type device struct {
	name   string // random in an app, made when it is installed
	tokens tokens
}

type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

func (d *device) signIn(password string) error {
	return d.ask(url.Values{"grant_type": {"password"}, "username": {name}, "password": {password}, "scope": {"read account device_" + d.name}})
}

func (d *device) refresh() error {
	return d.ask(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {d.tokens.Refresh}})
}

func (d *device) ask(form url.Values) error {
	form.Set("client_id", app)
	return call(http.MethodPost, "/token", "", form, &d.tokens)
}

// sees calls an API, and once more with a new access token if that is what it takes.
func (d *device) sees() string {
	err := call(http.MethodGet, "/me", d.tokens.Access, nil, nil)
	if isRefused(err, "invalid_token") {
		if err = d.refresh(); isRefused(err, "invalid_grant") {
			return "signed out"
		}
		if err == nil {
			err = call(http.MethodGet, "/me", d.tokens.Access, nil, nil)
		}
	}
	if err != nil {
		return err.Error()
	}
	return "signed in"
}

// changePassword asks again where nobody knows what became of the first request.
func (d *device) changePassword(present, next string) (stays bool, err error) {
	stays, err = d.replace(present, next)
	if isRefused(err, unknown) {
		if stays, err = d.replace(present, next); isRefused(err, "invalid_grant") {
			stays, err = d.replace(next, next) // the first request did it
		}
		if isRefused(err, "invalid_token") { // it did, and this device was signed out
			return false, nil
		}
	}
	return stays, err
}

func (d *device) replace(present, next string) (stays bool, err error) {
	var answer struct {
		SignedIn bool `json:"signed_in"`
	}
	err = call(http.MethodPost, "/account/password", d.tokens.Refresh, map[string]string{"password": present, "new_password": next}, &answer)
	return answer.SignedIn, err
}

// deleteAccount asks again too. Somebody who is signed out then is gone.
func (d *device) deleteAccount(password string) error {
	body := map[string]string{"password": password}
	err := call(http.MethodDelete, "/account", d.tokens.Refresh, body, nil)
	if isRefused(err, unknown) {
		if err = call(http.MethodDelete, "/account", d.tokens.Refresh, body, nil); isRefused(err, "invalid_token") {
			return nil
		}
	}
	return err
}

// refused is the code of an error (RFC 6749 §5.2).
type refused string

func (r refused) Error() string { return string(r) }

// unknown is the code where nobody knows what became of a request, also without an answer.
const unknown = "temporarily_unavailable"

func isRefused(err error, code string) bool { return errors.Is(err, refused(code)) }

// call sends a request, with a form or with JSON. A real app waits as Retry-After says, and
// gives up after some seconds.
func call(method, path, token string, body, answer any) error {
	text, contentType := "", "application/x-www-form-urlencoded"
	switch b := body.(type) {
	case url.Values:
		text = b.Encode()
	case map[string]string:
		members, err := json.Marshal(b)
		if err != nil {
			return err
		}
		text, contentType = string(members), "application/json"
	}
	r, err := http.NewRequestWithContext(context.Background(), method, fob+path, strings.NewReader(text))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", contentType)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return refused(unknown)
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode >= 500:
		return refused(unknown)
	case resp.StatusCode >= 300:
		var e struct{ Error string }
		if err := json.NewDecoder(resp.Body).Decode(&e); err != nil {
			return err
		}
		return refused(e.Error)
	case answer == nil:
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(answer)
}
