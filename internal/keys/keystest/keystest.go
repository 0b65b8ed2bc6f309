// Package keystest is an HTTP server that replaces AWS Secrets Manager in tests. It
// keeps secrets in memory and answers GetSecretValue, PutSecretValue and
// UpdateSecretVersionStage as package rotation calls them, with the rules of the API
// reference of 2017-10-17 about versions and staging labels. It does not check who
// asks.
package keystest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Labels that Secrets Manager moves by itself.
const (
	Current  = "AWSCURRENT"
	Previous = "AWSPREVIOUS"
)

// SecretsManager is the server.
type SecretsManager struct {
	URL string

	mu      sync.Mutex // guards what follows
	now     func() time.Time
	secrets map[string]*secret // by ARN
	before  func(operation, secret string) error
	after   func(operation, secret string) error
	calls   []string
}

type secret struct {
	versions map[string]*version
	labels   map[string]string // label to version id
}

type version struct {
	text    string
	created time.Time
}

// Error is an answer that refuses. With Status 0 the connection
// breaks, as if the answer was lost.
type Error struct {
	Status  int
	Code    string
	Message string
}

func (e *Error) Error() string { return e.Code + ": " + e.Message }

// Lost breaks the connection.
var Lost = &Error{}

// New starts a server that ends with the test.
func New(t testing.TB, now func() time.Time) *SecretsManager {
	s := &SecretsManager{now: now, secrets: map[string]*secret{}}
	server := httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(server.Close)
	s.URL = server.URL
	return s
}

// Create makes a secret with its first version, as CloudFormation does.
func (s *SecretsManager) Create(arn, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	const first = "00000000-0000-4000-8000-000000000001"
	s.secrets[arn] = &secret{
		versions: map[string]*version{first: {text, s.now()}},
		labels:   map[string]string{Current: first},
	}
}

// Text is the text of the version with a label; empty if none has it.
func (s *SecretsManager) Text(arn, label string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.secrets[arn]
	if v := one.versions[one.labels[label]]; v != nil {
		return v.text
	}
	return ""
}

// Versions is how many a secret has.
func (s *SecretsManager) Versions(arn string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.secrets[arn].versions)
}

// Before is called ahead of each operation, which does nothing if it returns an
// error: an *Error is the answer.
func (s *SecretsManager) Before(call func(operation, secret string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.before = call
}

// After is called when an operation is done. If it returns an *Error, that is
// the answer, to something that has happened.
func (s *SecretsManager) After(call func(operation, secret string) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.after = call
}

// Calls are the operations so far, as "PutSecretValue secret".
func (s *SecretsManager) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

type request struct {
	SecretID            string   `json:"SecretId"`
	SecretString        string   `json:"SecretString"`
	ClientRequestToken  string   `json:"ClientRequestToken"`
	VersionStages       []string `json:"VersionStages"`
	VersionStage        string   `json:"VersionStage"`
	MoveToVersionID     string   `json:"MoveToVersionId"`
	RemoveFromVersionID string   `json:"RemoveFromVersionId"`
}

func (s *SecretsManager) serve(w http.ResponseWriter, r *http.Request) {
	target, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	var in request
	if target != "secretsmanager" || json.NewDecoder(r.Body).Decode(&in) != nil {
		answer(w, nil, &Error{400, "SerializationException", "not a request to Secrets Manager"})
		return
	}
	s.mu.Lock()
	s.calls = append(s.calls, operation+" "+in.SecretID)
	before, after := s.before, s.after
	s.mu.Unlock()
	// Outside the lock: they may use the server.
	if before != nil {
		if err := before(operation, in.SecretID); err != nil {
			answer(w, nil, err)
			return
		}
	}
	out, err := s.do(operation, in)
	if err == nil && after != nil {
		err = after(operation, in.SecretID)
	}
	answer(w, out, err)
}

func answer(w http.ResponseWriter, out map[string]any, err error) {
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	if err == nil {
		_ = json.NewEncoder(w).Encode(out)
		return
	}
	e, ok := err.(*Error)
	if !ok {
		e = &Error{500, "InternalServiceError", err.Error()}
	}
	if e.Status == 0 {
		panic(http.ErrAbortHandler)
	}
	w.WriteHeader(e.Status)
	_ = json.NewEncoder(w).Encode(map[string]string{"__type": e.Code, "Message": e.Message})
}

func refuse(code, message string) (map[string]any, error) { return nil, &Error{400, code, message} }

func (s *SecretsManager) do(operation string, in request) (map[string]any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.secrets[in.SecretID]
	if one == nil {
		return refuse("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
	}
	switch operation {
	case "GetSecretValue":
		id := one.labels[Current]
		v := one.versions[id]
		return map[string]any{"VersionId": id, "SecretString": v.text, "CreatedDate": float64(v.created.UnixMilli()) / 1000}, nil
	case "PutSecretValue":
		return one.put(in, s.now())
	case "UpdateSecretVersionStage":
		return one.move(in)
	}
	return refuse("UnknownOperationException", operation)
}

func (one *secret) put(in request, now time.Time) (map[string]any, error) {
	id := in.ClientRequestToken
	if len(id) < 32 || len(id) > 64 || in.SecretString == "" || len(in.VersionStages) == 0 {
		return refuse("InvalidParameterException", "You must provide a ClientRequestToken of 32 to 64 characters, a SecretString and VersionStages.")
	}
	if v := one.versions[id]; v != nil {
		// The operation is idempotent, and a version is never changed.
		if v.text != in.SecretString {
			return refuse("ResourceExistsException", "The ClientRequestToken is already in use for another version.")
		}
		return map[string]any{"VersionId": id}, nil
	}
	one.versions[id] = &version{in.SecretString, now}
	for _, label := range in.VersionStages {
		one.attach(label, id)
	}
	return map[string]any{"VersionId": id}, nil
}

func (one *secret) move(in request) (map[string]any, error) {
	for _, id := range []string{in.MoveToVersionID, in.RemoveFromVersionID} {
		if one.versions[id] == nil {
			return refuse("ResourceNotFoundException", "Secrets Manager can't find the specified secret version.")
		}
	}
	// "If the label is attached and you either do not specify this parameter, or
	// the version ID does not match, then the operation fails."
	if one.labels[in.VersionStage] != in.RemoveFromVersionID {
		return refuse("InvalidParameterException", "The parameter RemoveFromVersionId does not match: the staging label is attached to another version.")
	}
	one.attach(in.VersionStage, in.MoveToVersionID)
	return map[string]any{}, nil
}

// attach takes the label from wherever it is.
func (one *secret) attach(label, id string) {
	if was := one.labels[label]; label == Current && was != "" && was != id {
		one.labels[Previous] = was
	}
	one.labels[label] = id
}
