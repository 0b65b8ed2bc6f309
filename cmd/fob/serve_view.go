package main

import (
	"bytes"
	"net"
	"strings"

	"github.com/fob-oauth/fob/internal/laptop"
	"github.com/fob-oauth/fob/internal/oauth"
	"github.com/fob-oauth/fob/internal/wire"
)

// service is what serve prints when it is ready.
type service struct {
	base    string
	tables  *tables
	demo    *laptop.Demo // nil if it was not added
	hasPage bool         // at base, for browsers
}

// warn prints what may surprise the operator.
func warn(p *program, addr net.Addr, o serveOptions, s service) {
	if _, ok := addr.(*net.TCPAddr); ok && !onLoopback(addr) {
		text := addr.String() + " can be reached from other machines, and fob serve speaks http without encryption"
		if s.demo != nil {
			text += " and has demo secrets on show"
		}
		p.say("warning: %s", text)
	}
	if s.demo != nil && o.mode == oauth.AskedAtEach {
		p.say("the demo user does not log in: --%s says who does", ownUsersFlag)
	}
	switch {
	case s.demo == nil && p.tables.areLocal():
		p.say(`no demo was added: the key file %s has no member "demo", of which its secrets are made. A new key file has one`, o.keys.value)
	case s.demo == nil:
		p.say("no demo was added: %s is not on this machine. Use fob scope add, fob client add and fob user add", strings.TrimPrefix(p.tables.where(), "at "))
	}
}

// onLoopback reports an address that no other machine reaches.
func onLoopback(addr net.Addr) bool {
	tcp, ok := addr.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}

// where completes the first line of the transcript.
func (s service) where() string {
	if s.tables.endpoint.value == "" {
		return "in memory"
	}
	names := s.tables.names()
	return "in the tables " + names.Tokens + ", " + names.Clients + " and " + names.Users + " " + s.tables.where()
}

// announce prints that requests are answered.
func announce(p *program, s service) error {
	var out bytes.Buffer
	if p.json {
		if err := newEncoder(&out).Encode(s.json()); err != nil {
			return err
		}
	} else {
		out.WriteString(laptop.Transcript(s.base, s.where(), p.getenv("SHELL"), s.demo, s.hasPage))
	}
	_, err := p.stdout.Write(out.Bytes())
	return err
}

// serviceJSON is the first line of --json. Programs rely on it.
type serviceJSON struct {
	Issuer                string `json:"issuer"`
	TokenEndpoint         string `json:"token_endpoint"`
	RevocationEndpoint    string `json:"revocation_endpoint"`
	IntrospectionEndpoint string `json:"introspection_endpoint"`
	DevicesEndpoint       string `json:"devices_endpoint"`
	MeEndpoint            string `json:"me_endpoint"`
	MetadataEndpoint      string `json:"metadata_endpoint"`
	*laptop.DemoJSON
}

func (s service) json() serviceJSON {
	out := serviceJSON{
		Issuer:                s.base,
		TokenEndpoint:         s.base + wire.TokenPath,
		RevocationEndpoint:    s.base + wire.RevokePath,
		IntrospectionEndpoint: s.base + wire.IntrospectPath,
		DevicesEndpoint:       s.base + wire.DevicesPath,
		MeEndpoint:            s.base + wire.MePath,
		MetadataEndpoint:      s.base + wire.MetadataPath,
	}
	if s.demo != nil {
		out.DemoJSON = s.demo.JSON()
	}
	return out
}

// baseURL is how a client on this machine reaches a listener.
func baseURL(addr net.Addr) string {
	tcp, ok := addr.(*net.TCPAddr)
	if !ok {
		return "http://" + addr.String()
	}
	host := tcp.IP.String()
	if tcp.IP.Equal(net.IPv4(127, 0, 0, 1)) || tcp.IP.IsUnspecified() {
		host = "localhost"
	}
	_, port, _ := net.SplitHostPort(addr.String())
	return "http://" + net.JoinHostPort(host, port)
}
