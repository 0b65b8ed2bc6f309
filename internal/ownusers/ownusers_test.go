package ownusers_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/ownusers"
	"github.com/fob-oauth/fob/internal/secret"
)

const password = "CANARY blue lamp"

func at(t *testing.T, url string) *ownusers.Users {
	t.Helper()
	u, err := ownusers.AtURL(url)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// answering is a server with one answer.
func answering(t *testing.T, status int, body string) *ownusers.Users {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(s.Close)
	return at(t, s.URL)
}

func TestAnswers(t *testing.T) {
	ann := oauth.OwnUser{ID: "17", Username: "ann", Roles: []string{"staff"}}
	off := oauth.OwnUser{ID: "17", Username: "ann", Disabled: true}
	for body, want := range map[string]oauth.OwnUser{
		`{"proved":false}`: {},
		`{"proved":true,"id":"17","username":"ann","roles":["staff"],"disabled":false}`: ann,
		" {\"proved\":true, \"id\":\"17\", \"username\":\"ann\", \"disabled\":true}\n":  off,
	} {
		u, proved, err := answering(t, 200, body).Ask(t.Context(), "ann", secret.New(password))
		if err != nil || proved != (want.ID != "") || !cmp.Equal(want, u) {
			t.Errorf("%s: %+v, %v, %v", body, u, proved, err)
		}
	}
}

// All that is not an answer is an outage, and not a wrong password. The log gets nothing of what
// was asked or answered.
func TestAnswersThatAreNone(t *testing.T) {
	proved := `{"proved":true,"id":"17","username":"ann"`
	for _, c := range []struct {
		status int
		body   string
	}{
		{200, ``}, {200, `null`}, {200, `true`}, {200, `[]`}, {200, `{}`}, {200, `"CANARY"`}, {200, `<html>CANARY`},
		{200, `{"proved":null}`}, {200, `{"proved":"false"}`}, {200, `{"proved":1}`}, {200, `{"Proved":true}`},
		{200, `{"proved":false,"id":"CANARY"}`}, {200, `{"proved":false,"disabled":false}`}, {200, `{"id":"17","username":"ann"}`},
		{200, `{"proved":true}`}, {200, `{"proved":true,"id":"17"}`}, {200, `{"proved":true,"username":"ann"}`},
		{200, `{"proved":true,"id":17,"username":"ann"}`}, {200, `{"proved":true,"id":"","username":"ann"}`},
		{200, `{"proved":true,"id":"CANARY\u0000","username":"ann"}`}, {200, `{"proved":true,"id":"` + strings.Repeat("x", 257) + `","username":"ann"}`},
		{200, `{"proved":true,"id":"17","username":"CANARY\u200b"}`}, {200, `{"proved":true,"id":"17","username":""}`},
		{200, proved + `,"disabled":null}`}, {200, proved + `,"disabled":"true"}`}, {200, proved + `,"Disabled":true}`}, {200, proved + `,"disabled":true,"disabled":false}`},
		{200, proved + `,"roles":null}`}, {200, proved + `,"roles":"CANARY"}`}, {200, proved + `,"roles":["CANARY role"]}`}, {200, proved + `,"roles":["device_CANARY"]}`},
		{200, proved + `,"roles":[` + strings.Repeat(`"r",`, 100) + `"r"]}`}, {200, proved + `,"password":"CANARY"}`},
		{200, proved + `}{}`}, {200, proved}, {200, proved + "\xff}"},
		{200, proved + `}` + strings.Repeat(" ", 32<<10)},
		{200, `{"statusCode":200,"body":"{\"proved\":true}"}`}, {200, `{"errorMessage":"CANARY","errorType":"Error"}`},
		{201, proved + `}`}, {202, ``}, {204, ``}, {400, `CANARY`}, {401, `{"proved":false}`}, {403, ``}, {404, `{"proved":false}`}, {429, ``}, {500, proved + `}`}, {503, `CANARY`},
	} {
		u, proved, err := answering(t, c.status, c.body).Ask(t.Context(), "CANARYname", secret.New(password))
		if !errors.Is(err, oauth.ErrUnavailable) || proved || u.ID != "" {
			t.Errorf("%d %.80s: %+v, %v, %v", c.status, c.body, u, proved, err)
		}
		if err != nil && strings.Contains(err.Error(), "CANARY") {
			t.Errorf("%d %.80s: %v", c.status, c.body, err)
		}
	}
}

func TestQuestion(t *testing.T) {
	var got []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		got = append(got, r.Method+" "+r.URL.Path+" "+r.Header.Get("Content-Type")+" "+string(body))
		for name := range r.Header {
			if strings.Contains(name, "Idempotency") {
				t.Error(name, "is sent")
			}
		}
		_, _ = io.WriteString(w, `{"proved":false}`)
	}))
	t.Cleanup(s.Close)
	own := at(t, s.URL+"/login")
	if _, proved, err := own.Ask(t.Context(), "zo\u00eb", secret.New("a\"\\<\u0000\u2028")); proved || err != nil {
		t.Fatal(proved, err)
	}
	// JSON has no word for these, and a replacement would be another password.
	for _, c := range [][2]string{{"ann", "a\xff"}, {"a\xff", "ann"}} {
		if _, proved, err := own.Ask(t.Context(), c[0], secret.New(c[1])); proved || err != nil {
			t.Error(proved, err)
		}
	}
	want := []string{`POST /login application/json {"version":1,"username":"zoë","password":"a\"\\\u003c\u0000\u2028"}`}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// A password goes nowhere else.
func TestRedirects(t *testing.T) {
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the question was sent on") }))
	t.Cleanup(other.Close)
	for _, status := range []int{301, 302, 303, 307, 308} {
		s := httptest.NewServer(http.RedirectHandler(other.URL, status))
		if _, _, err := at(t, s.URL).Ask(t.Context(), "ann", secret.New(password)); !errors.Is(err, oauth.ErrUnavailable) {
			t.Errorf("%d: %v", status, err)
		}
		s.Close()
	}
	t.Setenv("HTTP_PROXY", other.URL)
	t.Setenv("HTTPS_PROXY", other.URL)
	u := at(t, "https://users.example.invalid")
	if _, _, err := u.Ask(t.Context(), "ann", secret.New(password)); !errors.Is(err, oauth.ErrUnavailable) {
		t.Error(err)
	}
	// Nor to somebody without a certificate that counts.
	tls := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the certificate is not looked at") }))
	tls.Config.ErrorLog = log.New(io.Discard, "", 0)
	tls.StartTLS()
	t.Cleanup(tls.Close)
	if _, _, err := at(t, tls.URL).Ask(t.Context(), "ann", secret.New(password)); !errors.Is(err, oauth.ErrUnavailable) {
		t.Error(err)
	}
}

func TestAddresses(t *testing.T) {
	for address, fine := range map[string]bool{
		"https://users.example.com/login": true, "http://localhost:9000": true, "http://127.0.0.1:9000/x": true, "http://[::1]:9000": true,
		"http://users.example.com": false, "http://10.0.0.1": false, "http://localhost.example.com": false, "ftp://localhost": false,
		"https://CANARY:CANARY@users.example.com": false, "https://users.example.com/?key=CANARY": false, "https://users.example.com/#x": false,
		"users.example.com": false, "": false, "https://": false, "/login": false,
	} {
		_, err := ownusers.AtURL(address)
		if (err == nil) != fine {
			t.Errorf("%s: %v", address, err)
		}
		if err != nil && strings.Contains(err.Error(), "CANARY") {
			t.Error(err)
		}
	}
}

// A system that hangs costs five seconds, of the ten that a function has.
func TestOwnUsersHang(t *testing.T) {
	var left time.Duration
	u := ownusers.With(func(ctx context.Context, _ []byte) (*http.Request, error) {
		deadline, _ := ctx.Deadline()
		left = time.Until(deadline)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	synctest.Test(t, func(t *testing.T) {
		if _, _, err := u.Ask(t.Context(), "ann", secret.New(password)); !errors.Is(err, oauth.ErrUnavailable) {
			t.Error(err)
		}
	})
	if left <= 0 || left > 5*time.Second {
		t.Errorf("a question has %s", left)
	}
}

const arn = "arn:aws:lambda:eu-central-1:123456789012:function:people"

func credentials(context.Context) (aws.Credentials, error) {
	return aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "CANARYsecret", SessionToken: "CANARYsession"}, nil
}

func TestLambda(t *testing.T) {
	var function string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if want := "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-central-1%3A123456789012%3Afunction%3Apeople%3A%24LATEST/invocations"; r.RequestURI != want {
			t.Errorf("asked at %s, want %s", r.RequestURI, want)
		}
		if r.Method != http.MethodPost || r.Header.Get("X-Amz-Invocation-Type") != "RequestResponse" {
			t.Errorf("%s %v", r.Method, r.Header)
		}
		// Signed once more, of what came.
		hash := sha256.Sum256(body)
		when, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
		if err != nil {
			t.Error(err)
		}
		again := r.Clone(r.Context())
		again.URL.Scheme, again.URL.Host = "http", r.Host
		again.Header.Del("Authorization")
		for _, unsigned := range []string{"Accept", "User-Agent", "Accept-Encoding"} {
			again.Header.Del(unsigned)
		}
		by, _ := credentials(r.Context())
		if err := v4.NewSigner().SignHTTP(r.Context(), by, again, hex.EncodeToString(hash[:]), "lambda", "eu-central-1", when); err != nil {
			t.Error(err)
		}
		if got, want := r.Header.Get("Authorization"), again.Header.Get("Authorization"); got != want {
			t.Errorf("signed as %s, want %s", got, want)
		}
		var q map[string]any
		if json.Unmarshal(body, &q) != nil || q["username"] != "ann" || q["password"] != password {
			t.Errorf("asked %v", q)
		}
		if function != "" {
			w.Header().Set("X-Amz-Function-Error", function)
		}
		_, _ = io.WriteString(w, `{"proved":true,"id":"17","username":"ann"}`)
	}))
	t.Cleanup(s.Close)
	u, err := ownusers.AtLambda(arn+":$LATEST", s.URL, aws.CredentialsProviderFunc(credentials))
	if err != nil {
		t.Fatal(err)
	}
	if who, proved, err := u.Ask(t.Context(), "ann", secret.New(password)); err != nil || !proved || who.ID != "17" {
		t.Errorf("%+v, %v, %v", who, proved, err)
	}
	for _, function = range []string{"Unhandled", "Handled", "CANARY"} {
		_, proved, err := u.Ask(t.Context(), "ann", secret.New(password))
		if !errors.Is(err, oauth.ErrUnavailable) || proved || strings.Contains(fmt.Sprint(err), "CANARY") {
			t.Errorf("a function that failed: %v, %v", proved, err)
		}
	}
	noCredentials, err := ownusers.AtLambda(arn, s.URL, aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{}, errors.New("no credentials")
	}))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := noCredentials.Ask(t.Context(), "ann", secret.New(password)); !errors.Is(err, oauth.ErrUnavailable) {
		t.Error(err)
	}
}

func TestFunctionARNs(t *testing.T) {
	for text, host := range map[string]string{
		arn:              "lambda.eu-central-1.amazonaws.com",
		arn + ":live":    "lambda.eu-central-1.amazonaws.com",
		arn + ":$LATEST": "lambda.eu-central-1.amazonaws.com",
		"arn:aws-cn:lambda:cn-north-1:123456789012:function:people":        "lambda.cn-north-1.amazonaws.com.cn",
		"arn:aws-us-gov:lambda:us-gov-west-1:123456789012:function:people": "lambda.us-gov-west-1.amazonaws.com",

		"people": "", "": "", "https://users.example.com": "", arn + "/../x": "", arn + "?x": "", arn + ":a:b": "",
		"arn:aws:lambda:evil.example.com/:123456789012:function:people": "", "arn:aws:sns:eu-central-1:123456789012:people": "",
	} {
		got, err := ownusers.HostOf(text)
		if got != host || (err == nil) != (host != "") {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
}

// Whatever is answered, nobody is proved whom the domain would not save.
func FuzzAnswer(f *testing.F) {
	f.Add(`{"proved":true,"id":"17","username":"ann","roles":["staff"],"disabled":false}`)
	f.Add(`{"proved":false}`)
	f.Add(`{"proved":true,"id":"\ud800"}`)
	f.Fuzz(func(t *testing.T, text string) {
		u, proved, err := ownusers.Parse([]byte(text))
		if proved && (err != nil || u.Validate() != nil) || !proved && !cmp.Equal(u, oauth.OwnUser{}) {
			t.Errorf("%+v, %v, %v", u, proved, err)
		}
	})
}
