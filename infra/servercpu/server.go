//go:build linux

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// service is the line that fob serve --json prints, and the floor too.
type service struct {
	Issuer         string `json:"issuer"` // the address before /token
	ClientID       string `json:"client_id"`
	ClientSecret   string `json:"client_secret"`
	AppID          string `json:"public_client_id"`
	ResourceID     string `json:"resource_client_id"`
	ResourceSecret string `json:"resource_client_secret"`
	Username       string `json:"username"`
	Password       string `json:"password"`
}

// server is a process that answers requests.
type server struct {
	cmd     *exec.Cmd
	service service
}

// start starts a program that prints a service when it is ready, with what the template
// sets for all functions.
func start(ctx context.Context, program string, args ...string) (*server, error) {
	cmd := exec.CommandContext(ctx, program, args...) //nolint:gosec // fob, and this program
	cmd.Env = append([]string{"GOGC=400", "GOMAXPROCS=1"}, os.Environ()...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{cmd: cmd}
	lines := bufio.NewReader(out)
	if err := json.NewDecoder(lines).Decode(&s.service); err != nil {
		s.end()
		return nil, fmt.Errorf("%s did not say that it is ready: %w", program, err)
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	return s, nil
}

func (s *server) end() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	_ = s.cmd.Wait()
}

// spent is how long the threads of the process have run so far: the first number of
// each schedstat, in nanoseconds. Go keeps its threads.
func (s *server) spent() (sum time.Duration, err error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", s.cmd.Process.Pid))
	if err != nil || len(threads) == 0 {
		return 0, fmt.Errorf("this kernel does not say how long a thread has run: %w", err)
	}
	for _, thread := range threads {
		text, err := os.ReadFile(thread) //nolint:gosec // of /proc
		if err != nil {
			return 0, err
		}
		var ran time.Duration
		if _, err := fmt.Sscan(string(text), &ran); err != nil {
			return 0, err
		}
		sum += ran
	}
	return sum, nil
}

const floorName = "floor"

// floorAnswer is as long as what fob answers to a request for a token.
const floorAnswer = `{"access_token":"fob_at_ASfAcnoAAAAAeWkAmfNGeTvxfL0VkNGfJ8w2LMXCJKLTnDCnXC9N0lH1jXyvkpXtH1WCB7mzCJ8kAAAAAfAmiZ1zCqEJ","token_type":"Bearer","expires_in":3599,"scope":"read write"}`

// serveFloor is the least that a token endpoint does: it parses the form, and answers a
// constant.
func serveFloor(ctx context.Context, out io.Writer) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, "{\"issuer\":\"http://%s\"}\n", listener.Addr()); err != nil {
		return err
	}
	server := &http.Server{
		ReadHeaderTimeout: time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, 16<<10)
			if err := r.ParseForm(); err != nil {
				w.WriteHeader(http.StatusBadRequest)
				return
			}
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("Cache-Control", "no-store")
			_, _ = io.WriteString(w, floorAnswer)
		}),
	}
	return server.Serve(listener)
}
