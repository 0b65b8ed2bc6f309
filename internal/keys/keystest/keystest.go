// Package keystest stands in for AWS Secrets Manager in tests: an HTTP server
// that keeps secrets in memory and answers GetSecretValue, PutSecretValue and
// UpdateSecretVersionStage as the API reference of 2017-10-17 says, with its
// rules about versions and staging labels.
//
// It refuses to know what is in a secret, who asks, and whether the request is
// signed.
package keystest

import (
	"encoding/json"
	"fmt"
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

// SecretsManager is the server. Its zero times are the wall clock's.
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

// Error is an answer that is not the usual one. With Status 0 the connection
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

// Text is what a label of a secret stands for; empty if there is none.
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
	VersionID           string   `json:"VersionId"`
	VersionStage        string   `json:"VersionStage"`
	SecretString        string   `json:"SecretString"`
	ClientRequestToken  string   `json:"ClientRequestToken"`
	VersionStages       []string `json:"VersionStages"`
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

func refuse(code, format string, args ...any) (map[string]any, error) {
	return nil, &Error{400, code, fmt.Sprintf(format, args...)}
}

func (s *SecretsManager) do(operation string, in request) (map[string]any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one := s.secrets[in.SecretID]
	if one == nil {
		return refuse("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
	}
	switch operation {
	case "GetSecretValue":
		return one.get(in)
	case "PutSecretValue":
		return one.put(in, s.now())
	case "UpdateSecretVersionStage":
		return one.move(in)
	}
	return refuse("UnknownOperationException", "no operation %s", operation)
}

func (one *secret) get(in request) (map[string]any, error) {
	id := in.VersionID
	if id == "" {
		label := in.VersionStage
		if label == "" {
			label = Current
		}
		if id = one.labels[label]; id == "" {
			return refuse("ResourceNotFoundException", "Secrets Manager can't find the specified secret value for staging label: %s", label)
		}
	}
	v := one.versions[id]
	if v == nil {
		return refuse("ResourceNotFoundException", "Secrets Manager can't find the specified secret value for VersionId: %s", id)
	}
	return map[string]any{
		"ARN": in.SecretID, "Name": in.SecretID, "VersionId": id, "SecretString": v.text,
		"VersionStages": one.labelsOf(id), "CreatedDate": float64(v.created.UnixMilli()) / 1000,
	}, nil
}

func (one *secret) put(in request, now time.Time) (map[string]any, error) {
	id := in.ClientRequestToken
	if len(id) < 32 || len(id) > 64 || in.SecretString == "" {
		return refuse("InvalidParameterException", "You must provide a ClientRequestToken of 32 to 64 characters, and a SecretString.")
	}
	if v := one.versions[id]; v != nil {
		// The operation is idempotent, and a version is never changed.
		if v.text != in.SecretString {
			return refuse("ResourceExistsException", "You can't use ClientRequestToken %s because that value is already in use for a version of secret %s.", id, in.SecretID)
		}
		return map[string]any{"ARN": in.SecretID, "Name": in.SecretID, "VersionId": id, "VersionStages": one.labelsOf(id)}, nil
	}
	labels := in.VersionStages
	if len(labels) == 0 {
		labels = []string{Current}
	}
	one.versions[id] = &version{in.SecretString, now}
	for _, label := range labels {
		one.attach(label, id)
	}
	return map[string]any{"ARN": in.SecretID, "Name": in.SecretID, "VersionId": id, "VersionStages": one.labelsOf(id)}, nil
}

func (one *secret) move(in request) (map[string]any, error) {
	if in.VersionStage == "" {
		return refuse("InvalidParameterException", "You must provide a VersionStage.")
	}
	for _, id := range []string{in.MoveToVersionID, in.RemoveFromVersionID} {
		if id != "" && one.versions[id] == nil {
			return refuse("ResourceNotFoundException", "Secrets Manager can't find the specified secret version: %s.", id)
		}
	}
	// "If the label is attached and you either do not specify this parameter, or
	// the version ID does not match, then the operation fails."
	switch at := one.labels[in.VersionStage]; {
	case at != "" && in.RemoveFromVersionID == "":
		return refuse("InvalidParameterException", "The parameter RemoveFromVersionId can't be empty. Staging label %s is currently attached to version %s, so you must explicitly reference that version in RemoveFromVersionId.", in.VersionStage, at)
	case at != in.RemoveFromVersionID:
		return refuse("InvalidParameterException", "The parameter RemoveFromVersionId does not match. Staging label %s is currently attached to version %s.", in.VersionStage, at)
	case in.MoveToVersionID == "" && in.VersionStage == Current:
		return refuse("InvalidParameterException", "You can only move staging label AWSCURRENT to a different secret version. It can't be completely removed.")
	case in.MoveToVersionID == "":
		delete(one.labels, in.VersionStage)
	default:
		one.attach(in.VersionStage, in.MoveToVersionID)
	}
	return map[string]any{"ARN": in.SecretID, "Name": in.SecretID}, nil
}

// attach takes the label from wherever it is.
func (one *secret) attach(label, id string) {
	if was := one.labels[label]; label == Current && was != "" && was != id {
		one.labels[Previous] = was
	}
	one.labels[label] = id
}

func (one *secret) labelsOf(id string) []string {
	labels := []string{}
	for label, at := range one.labels {
		if at == id {
			labels = append(labels, label)
		}
	}
	slices.Sort(labels)
	return labels
}
