package main

import (
	"bufio"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// An endpoint that is not DynamoDB is called that, and is never a success.
func TestEndpointThatIsNotDynamoDB(t *testing.T) {
	t.Setenv("AWS_PROFILE", "")
	t.Setenv("AWS_CONFIG_FILE", "/none")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/none")
	at := func(status int, body string) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}))
		t.Cleanup(server.Close)
		return server.URL
	}
	plain := at(http.StatusOK, "")
	encrypted := httptest.NewUnstartedServer(http.NotFoundHandler())
	encrypted.Config.ErrorLog = log.New(io.Discard, "", 0)
	encrypted.StartTLS()
	t.Cleanup(encrypted.Close)
	for _, test := range []struct{ name, endpoint, says string }{
		{"an empty 200", plain, "200 OK"},
		{"a JSON object", at(http.StatusOK, `{"active":false}`), "200 OK"},
		{"a page", at(http.StatusOK, "<html>"), "200 OK"},
		{"a 404", at(http.StatusNotFound, "<html>"), "404 Not Found"},
		{"a 404 in JSON", at(http.StatusNotFound, `{"error":"not_found"}`), "404 Not Found"},
		{"a redirect", at(http.StatusMovedPermanently, ""), "301 Moved Permanently"},
		{"https at http", strings.Replace(plain, "http:", "https:", 1), "server gave HTTP response to HTTPS client"},
		{"http at https", strings.Replace(encrypted.URL, "https:", "http:", 1), ""}, // 400, or it closes the connection
		{"an unknown certificate", encrypted.URL, "certificate"},
		{"another protocol", speaking(t, "SSH-2.0-OpenSSH_9.9\r\n"), "malformed HTTP"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, args := range [][]string{{"client", "list"}, {"scope", "add", "read"}, {"serve", "--addr", "127.0.0.1:0", "--keys", t.TempDir() + "/keys.json"}} {
				var stdout, stderr output
				p := program{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, getenv: func(name string) string {
					return map[string]string{"FOB_DYNAMODB": test.endpoint}[name]
				}}
				code := p.run(t.Context(), args)
				want := "fob: a server that is not DynamoDB answers at " + test.endpoint + ": check FOB_DYNAMODB ("
				if said := stderr.String(); code != exitUnavailable || stdout.String() != "" || !strings.HasPrefix(said, want) || !strings.Contains(said, test.says) || strings.Count(said, "\n") != 1 {
					t.Errorf("%q: exit code %d, standard output %q, standard error %q; want %s", args, code, &stdout, said, want)
				}
			}
		})
	}
}

// speaking accepts connections and says the same to all, once they have sent a request:
// what comes earlier may be taken for an answer or not.
func speaking(t *testing.T, greeting string) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				if r, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
					_, _ = io.Copy(io.Discard, r.Body)
				}
				_, _ = io.WriteString(c, greeting)
				_, _ = io.Copy(io.Discard, c)
			}()
		}
	}()
	return "http://" + listener.Addr().String()
}
