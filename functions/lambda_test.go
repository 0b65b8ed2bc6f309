package functions_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"
)

// patience is how long a test waits for a program that should be there already.
const patience = time.Minute

// function is one of the programs, running as Lambda runs it: with nothing but
// the environment that it was given, asking the Runtime API for one event after
// the other.
type function struct {
	name   string
	asking chan struct{} // closed when it has asked for its first event
	ended  chan struct{} // closed when the process has ended
	exit   int           // its status, to be read after ended

	stdout, stderr transcript

	invocations chan invocation

	mu      sync.Mutex // guards what follows
	asked   sync.Once
	count   int
	pending map[string]chan outcome
	stray   []string // requests that no program of Lambda's makes
}

type invocation struct {
	id       string
	event    []byte
	deadline time.Time
}

// outcome is what became of an invocation.
type outcome struct {
	id       string
	raw      []byte                          // the answer as it is
	response events.APIGatewayV2HTTPResponse // as one of either payload format, which read alike
	failed   bool                            // the event was refused; Lambda would call that an error
	message  string                          // of the error
	took     time.Duration
}

// start runs a function until the test ends. Nothing is inherited: no
// credentials, no profile and no proxy of the person who runs the test.
func start(t *testing.T, name string, environment map[string]string) *function {
	t.Helper()
	dir, err := hostPrograms()
	if err != nil {
		t.Fatal(err)
	}
	f := &function{
		name:   name,
		asking: make(chan struct{}), ended: make(chan struct{}),
		invocations: make(chan invocation),
		pending:     map[string]chan outcome{},
	}
	api := httptest.NewServer(f.runtimeAPI())
	t.Cleanup(api.Close)

	cmd := exec.Command(filepath.Join(dir, name))
	cmd.Dir = t.TempDir()
	cmd.Env = []string{"AWS_LAMBDA_RUNTIME_API=" + strings.TrimPrefix(api.URL, "http://")}
	for key, value := range environment {
		cmd.Env = append(cmd.Env, key+"="+value)
	}
	// Files and no pipes: what the program wrote before it answered is there when
	// the answer is.
	cmd.Stdout, cmd.Stderr = f.stdout.open(t), f.stderr.open(t)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = cmd.Wait()
		f.exit = cmd.ProcessState.ExitCode()
		close(f.ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-f.ended
		for _, s := range f.strays() {
			t.Errorf("%s: %s", name, s)
		}
	})
	return f
}

func (f *function) strays() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.stray)
}

// runtimeAPI is the Runtime API, version 2018-06-01.
func (f *function) runtimeAPI() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", f.next)
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/response", func(w http.ResponseWriter, r *http.Request) {
		var o outcome
		var err error
		if o.raw, err = io.ReadAll(r.Body); err == nil {
			err = json.Unmarshal(o.raw, &o.response)
		}
		f.finish(w, r, &o, err)
	})
	mux.HandleFunc("POST /2018-06-01/runtime/invocation/{id}/error", func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			ErrorMessage string `json:"errorMessage"`
		}
		err := json.NewDecoder(r.Body).Decode(&body)
		f.finish(w, r, &outcome{failed: true, message: body.ErrorMessage}, err)
	})
	mux.HandleFunc("POST /2018-06-01/runtime/init/error", func(w http.ResponseWriter, r *http.Request) {
		f.strayed(w, r) // fob logs and exits instead
	})
	mux.HandleFunc("/", f.strayed)
	return mux
}

func (f *function) strayed(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stray = append(f.stray, r.Method+" "+r.URL.Path)
	w.WriteHeader(http.StatusNotFound)
}

func (f *function) next(w http.ResponseWriter, r *http.Request) {
	f.asked.Do(func() { close(f.asking) })
	select {
	case i := <-f.invocations:
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Lambda-Runtime-Aws-Request-Id", i.id)
		h.Set("Lambda-Runtime-Deadline-Ms", strconv.FormatInt(i.deadline.UnixMilli(), 10))
		h.Set("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-central-1:123456789012:function:"+f.name)
		h.Set("Lambda-Runtime-Trace-Id", "Root=1-00000000-000000000000000000000000;Sampled=0")
		_, _ = w.Write(i.event)
	case <-r.Context().Done():
	}
}

func (f *function) finish(w http.ResponseWriter, r *http.Request, o *outcome, err error) {
	_, _ = io.Copy(io.Discard, r.Body)
	id := r.PathValue("id")
	f.mu.Lock()
	answer, known := f.pending[id]
	delete(f.pending, id)
	if !known || err != nil {
		f.stray = append(f.stray, fmt.Sprintf("answered invocation %q (known: %v): %v", id, known, err))
	}
	f.mu.Unlock()
	if known {
		o.id = id
		answer <- *o
	}
	w.WriteHeader(http.StatusAccepted)
}

// awaitStart returns when the function is ready for its first event.
func (f *function) awaitStart(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	select {
	case <-f.asking:
	case <-f.ended:
		t.Fatalf("%s ended with status %d and said:\n%s%s", f.name, f.exit, f.stdout.all(t), f.stderr.all(t))
	case <-ctx.Done():
		t.Fatalf("%s asked for no event; it said:\n%s%s", f.name, f.stdout.all(t), f.stderr.all(t))
	}
}

// awaitEnd returns the exit status of a function that must not start.
func (f *function) awaitEnd(t *testing.T) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	select {
	case <-f.ended:
		return f.exit
	case <-f.asking:
		t.Fatalf("%s started; it said:\n%s%s", f.name, f.stdout.all(t), f.stderr.all(t))
	case <-ctx.Done():
		t.Fatalf("%s neither started nor ended", f.name)
	}
	return 0
}

// invoke hands the function an event, with this much time until it is killed.
func (f *function) invoke(ctx context.Context, event []byte, left time.Duration) (outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	answer := make(chan outcome, 1)
	f.mu.Lock()
	f.count++
	// In the shape that Lambda has.
	id := fmt.Sprintf("00000000-0000-4000-8000-%012d", f.count)
	f.pending[id] = answer
	f.mu.Unlock()

	began := time.Now()
	select {
	case f.invocations <- invocation{id, event, began.Add(left)}:
	case <-f.ended:
		return outcome{}, errors.New(f.name + " is gone")
	case <-ctx.Done():
		return outcome{}, fmt.Errorf("%s does not ask for an event: %w", f.name, ctx.Err())
	}
	select {
	case o := <-answer:
		o.took = time.Since(began)
		return o, nil
	case <-f.ended:
		return outcome{}, fmt.Errorf("%s ended with status %d instead of answering", f.name, f.exit)
	case <-ctx.Done():
		return outcome{}, fmt.Errorf("%s does not answer: %w", f.name, ctx.Err())
	}
}

// transcript is a file that a process writes to.
type transcript struct {
	path string
	read int // bytes that next returned
}

func (w *transcript) open(t *testing.T) *os.File {
	t.Helper()
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	w.path = file.Name()
	return file
}

func (w *transcript) all(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile(w.path)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// next returns the lines that were written since it was called last.
func (w *transcript) next(t *testing.T) [][]byte {
	t.Helper()
	text := w.all(t)[w.read:]
	w.read += len(text)
	return slices.Collect(bytes.Lines(text))
}
