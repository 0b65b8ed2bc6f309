package assertion

import "testing"

func TestAddresses(t *testing.T) {
	for _, c := range []struct {
		address         string
		public, private bool // dialled in general, and by the operator's word
	}{
		{"8.8.8.8:443", true, true},
		{"17.253.144.10:443", true, true},
		{"[2607:f8b0:4004::200e]:443", true, true},
		{"[2a00:1450::1]:8443", true, true},
		{"[64:ff9b::808:808]:443", true, true}, // 8.8.8.8 through NAT64

		{"10.0.0.1:443", false, true},
		{"172.16.0.1:443", false, true},
		{"172.31.255.255:443", false, true},
		{"192.168.1.1:443", false, true},
		{"100.64.0.1:443", false, true},
		{"127.0.0.1:443", false, true},
		{"127.8.8.8:443", false, true},
		{"0.0.0.0:443", false, true},
		{"198.18.0.1:443", false, true},
		{"224.0.0.1:443", false, true},
		{"255.255.255.255:443", false, true},
		{"[::]:443", false, true},
		{"[::1]:443", false, true},
		{"[fd12:3456::1]:443", false, true},
		{"[fc00::1]:443", false, true},
		{"[fec0::1]:443", false, true},
		{"[ff02::1]:443", false, true},
		{"[2001:db8::1]:443", false, true},
		{"[2001::1]:443", false, true},
		{"[2002:7f00:1::]:443", false, true},
		{"[::ffff:10.0.0.1]:443", false, true},
		{"[::ffff:127.0.0.1]:443", false, true},
		{"[::127.0.0.1]:443", false, true},
		{"[64:ff9b::a00:1]:443", false, true}, // 10.0.0.1
		{"[64:ff9b:1::808:808]:443", false, true},

		{"169.254.169.254:80", false, false},
		{"169.254.170.2:443", false, false},
		{"100.100.100.200:443", false, false},
		{"[::ffff:169.254.169.254]:443", false, false},
		{"[64:ff9b::a9fe:a9fe]:443", false, false},
		{"[fe80::1%lo]:443", false, false},
		{"[fe80::a9fe:a9fe]:443", false, false},
		{"[fd00:ec2::254]:80", false, false},
		{"localhost:443", false, false},
		{"", false, false},
	} {
		if got := publicOnly("tcp", c.address, nil) == nil; got != c.public {
			t.Errorf("%s is dialled: %v", c.address, got)
		}
		if got := noMetadata("tcp", c.address, nil) == nil; got != c.private {
			t.Errorf("%s is dialled by the operator's word: %v", c.address, got)
		}
	}
}
