//go:build unix

package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// cloud answers what a function asks AWS before its first event: GetItem, with no item,
// and GetSecretValue, with a key ring.
type cloud struct {
	server *http.Server
	url    string
	roots  string // the file of roots that a program reads; empty without TLS
}

// The key ring protects nothing: no token is made with it.
const (
	checkSecret = `{"issuer_epoch": 0, "states": {"1": "active"}, "1": "a-check-key-that-measures-and-protects-nothing"}`
	mintSecret  = `{"1": "a-mint-key-that-measures-and-protects-nothing"}`
	checkARN    = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:CheckKeys-a1b2c3"
	mintARN     = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:MintKeys-d4e5f6"
)

// machineRoots are where Linux distributions keep the roots, Lambda's among them.
var machineRoots = []string{"/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/cert.pem"}

func newCloud(dir, security string) (*cloud, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &cloud{server: &http.Server{Handler: http.HandlerFunc(answer), ReadHeaderTimeout: time.Minute}, url: "http://" + listener.Addr().String()}
	switch security {
	case "none", "one", "all":
	default:
		return nil, errors.New("-tls must be none, one or all")
	}
	if security != "none" {
		certificate, err := selfSigned()
		if err != nil {
			return nil, err
		}
		c.url, c.roots = "https://"+listener.Addr().String(), filepath.Join(dir, "roots.pem")
		roots := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]})
		if security == "all" {
			machine, err := readFirst(machineRoots)
			if err != nil {
				return nil, err
			}
			roots = append(machine, roots...)
		}
		if err := os.WriteFile(c.roots, roots, 0o600); err != nil {
			return nil, err
		}
		listener = tls.NewListener(listener, &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12})
	}
	go func() { _ = c.server.Serve(listener) }() // until close
	return c, nil
}

func (c *cloud) close() { _ = c.server.Close() }

// environment is what the template gives to the functions, and what Lambda adds.
func (c *cloud) environment() []string {
	env := []string{
		"GOMAXPROCS=1", "GOGC=400", "AWS_REGION=eu-central-1", "AWS_ACCESS_KEY_ID=local", "AWS_SECRET_ACCESS_KEY=local",
		"AWS_ENDPOINT_URL_DYNAMODB=" + c.url, "AWS_ENDPOINT_URL_SECRETS_MANAGER=" + c.url,
		"FOB_TOKENS_TABLE=tokens", "FOB_CLIENTS_TABLE=clients", "FOB_USERS_TABLE=users",
		"FOB_CHECK_SECRET=" + checkARN, "FOB_MINT_SECRET=" + mintARN,
		"FOB_EVENT_BUS=arn:aws:events:eu-central-1:123456789012:event-bus/default",
	}
	if c.roots != "" {
		env = append(env, "SSL_CERT_FILE="+c.roots, "SSL_CERT_DIR="+filepath.Dir(c.roots)+"/none")
	}
	return env
}

func answer(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the program is gone
	}
	reply := map[string]any{}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	switch target := r.Header.Get("X-Amz-Target"); {
	case strings.HasPrefix(target, "DynamoDB_"):
	case target == "secretsmanager.GetSecretValue":
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		reply["SecretString"] = checkSecret
		if bytes.Contains(body, []byte(mintARN)) {
			reply["SecretString"] = mintSecret
		}
	default:
		http.Error(w, "not a call of a start", http.StatusBadRequest)
		return
	}
	text, _ := json.Marshal(reply) // a map of texts
	w.Header().Set("X-Amz-Crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(text)), 10))
	_, _ = w.Write(text) // the program is gone if this fails
}

func readFirst(paths []string) ([]byte, error) {
	for _, path := range paths {
		if text, err := os.ReadFile(path); err == nil { //nolint:gosec // one of a few
			return append(text, '\n'), nil
		}
	}
	return nil, fmt.Errorf("this machine has no roots in %s", strings.Join(paths, ", "))
}

// selfSigned makes a certificate for loopback that is its own root.
func selfSigned() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
