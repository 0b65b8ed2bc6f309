//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// sample is one start, from exec to the first question for an event.
type sample struct {
	wall, cpu time.Duration // by the clock; of all processors, in user and system mode
	peak      int64         // bytes of memory, with the pages of the file that were read
}

// startLimit is what Lambda gives to a start.
const startLimit = 10 * time.Second

// start runs the program at path with env alone until it asks for an event.
func start(ctx context.Context, path string, env []string) (sample, error) {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return sample{}, err
	}
	asked := make(chan time.Time, 1)
	var once sync.Once
	mux := http.NewServeMux()
	mux.HandleFunc("GET /2018-06-01/runtime/invocation/next", func(_ http.ResponseWriter, r *http.Request) {
		once.Do(func() { asked <- time.Now() })
		<-r.Context().Done() // there is no event
	})
	api := &http.Server{Handler: mux, ReadHeaderTimeout: startLimit}
	go func() { _ = api.Serve(listener) }() // until Close
	defer func() { _ = api.Close() }()

	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, path)
	cmd.Env = append(env, "AWS_LAMBDA_RUNTIME_API="+listener.Addr().String())
	cmd.Stdout, cmd.Stderr = &said, &said
	began := time.Now()
	if err := cmd.Start(); err != nil {
		return sample{}, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case now := <-asked:
		peak := peakOf(cmd.Process.Pid)
		_ = cmd.Process.Kill() // Wait reports it
		if err := <-ended; err == nil {
			return sample{}, errors.New("it ended before it was told to")
		}
		if said.Len() > 0 {
			return sample{}, fmt.Errorf("it did not start well:\n%s", &said)
		}
		return sample{now.Sub(began), cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), peak}, nil
	case err := <-ended:
		return sample{}, fmt.Errorf("it ended (%w) before it asked for an event:\n%s", err, &said)
	}
}

// peakOf is the most memory that a running program had, in bytes, or 0 where there is
// no /proc. The kernel's report of an ended one contains the memory of its parent,
// from before exec.
func peakOf(pid int) int64 {
	status, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	_, peak, _ := strings.Cut(string(status), "VmHWM:")
	peak, _, _ = strings.Cut(peak, " kB")
	kibibytes, _ := strconv.ParseInt(strings.TrimSpace(peak), 10, 64)
	return kibibytes * 1024
}
