package faults

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/fob-oauth/fob/internal/ledger"
)

// answer is what a client got.
type answer struct {
	status  int
	header  map[string]string
	body    map[string]any
	text    string
	access  string
	refresh string
}

func (a answer) String() string {
	if a.access != "" {
		return fmt.Sprintf("%d with tokens", a.status)
	}
	return fmt.Sprintf("%d %s", a.status, a.text)
}

func (r *run) checkAnswer(in *instance, endpoint string, a answer) {
	r.Helper()
	if a.header["Cache-Control"] != "no-store" {
		r.Errorf("%s answered %v with Cache-Control %q", endpoint, a, a.header["Cache-Control"])
	}
	switch ofUsers := slices.Contains([]string{"users", "account", "labels"}, endpoint); {
	case a.status == 200, ofUsers && (a.status == 201 || a.status == 204):
	case slices.Contains([]int{400, 401, 503}, a.status), ofUsers && slices.Contains([]int{404, 409, 412}, a.status): // RFC 6749 §5.2
		code, _ := a.body["error"].(string)
		others := maps.Clone(a.body)
		delete(others, "error")
		delete(others, "error_description")
		if a.status == 409 {
			delete(others, "id")
		}
		if code == "" || len(others) > 0 || a.header["Content-Type"] != "application/json" {
			r.Errorf("%s answered %v as %q, which is not an OAuth error", endpoint, a, a.header["Content-Type"])
		}
		_, err := strconv.Atoi(a.header["Retry-After"])
		if a.status == 503 && (err != nil || code != "temporarily_unavailable") {
			r.Errorf("%s answered %v with Retry-After %q", endpoint, a, a.header["Retry-After"])
		}
	default:
		r.Errorf("%s answered %v", endpoint, a)
	}

	var line struct{ Raced int }
	if err := json.Unmarshal(in.log.Bytes(), &line); err != nil {
		r.Errorf("%s logged %q, which is not one line: %v", endpoint, in.log.String(), err)
	}
	if line.Raced > 0 && !r.visited {
		r.Errorf("%s lost %d writes to nobody", endpoint, line.Raced)
	}
	if strings.Contains(in.log.String(), "fob_at_") || strings.Contains(in.log.String(), "fob_rt_") || strings.Contains(in.log.String(), "eyJ") {
		r.Errorf("%s logged a token", endpoint)
	}
}

// alive counts the Authorizations of the run's user and client that are.
func (r *run) alive() int {
	r.Helper()
	records, err := r.stores.Tokens.List(r.Context(), r.who, r.client)
	if err != nil {
		r.Errorf("list: %v", err)
	}
	return len(slices.DeleteFunc(records, func(c ledger.Record) bool { return r.clock.Load() >= max(c.Access.Expiry, c.AccessPrev.Expiry) }))
}
