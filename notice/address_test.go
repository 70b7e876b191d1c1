package notice_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"signalbox/notice"
	"signalbox/ticket"
)

func prefixes(texts ...string) []netip.Prefix {
	var out []netip.Prefix
	for _, text := range texts {
		out = append(out, netip.MustParsePrefix(text))
	}
	return out
}

func TestOnlyPublicAddressesAreCalled(t *testing.T) {
	blocked := map[string][]string{
		"loopback":      {"127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "::ffff:7f00:1"},
		"private":       {"10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fd00:ec2::254", "::ffff:10.0.0.1", "64:ff9b::a00:1"},
		"link-local":    {"169.254.169.254", "fe80::1", "fe80::1%eth0", "2002:a9fe:a9fe::1"},
		"carrier":       {"100.64.0.1", "100.100.100.200", "100.127.255.255"},
		"metadata":      {"168.63.129.16"},
		"multicast":     {"224.0.0.1", "239.255.255.255", "ff02::1"},
		"broadcast":     {"255.255.255.255"},
		"unspecified":   {"0.0.0.0", "0.1.2.3", "::"},
		"documentation": {"192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"},
		"reserved":      {"240.0.0.1", "192.0.0.192", "2001::1"},
		"not public":    {"::7f00:1", "64:ff9b:1::1", "fec0::1", "100::1", "4000::1", "5f00::1"},
	}
	for why, addresses := range blocked {
		for _, address := range addresses {
			err := notice.CheckAddress(netip.MustParseAddr(address), nil)
			var block *notice.BlockedError
			require.True(t, errors.As(err, &block), "%s must be blocked", address)
			require.Contains(t, err.Error(), why, address)
			require.NotContains(t, err.Error(), address)
		}
	}
	for _, address := range []string{"1.1.1.1", "8.8.8.8", "172.15.0.1", "172.32.0.1", "100.63.255.255", "100.128.0.1", "11.0.0.1", "169.253.1.1",
		"2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101", "2002:101:101::1"} {
		require.NoError(t, notice.CheckAddress(netip.MustParseAddr(address), nil), address)
	}
	require.Error(t, notice.CheckAddress(netip.Addr{}, nil))
}

func TestAllowedRangesOpenExactlyWhatTheyContain(t *testing.T) {
	allow := prefixes("10.1.0.0/16", "::1/128")
	for _, address := range []string{"10.1.2.3", "::ffff:10.1.2.3", "64:ff9b::a01:203", "::1"} {
		require.NoError(t, notice.CheckAddress(netip.MustParseAddr(address), allow), address)
	}
	for _, address := range []string{"10.2.0.1", "127.0.0.1", "64:ff9b::a02:1"} {
		require.Error(t, notice.CheckAddress(netip.MustParseAddr(address), allow), address)
	}
}

// However an IPv4 address is dressed up, it is judged as what it is.
func TestAnIPv4AddressIsCheckedAlikeInEveryForm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := [4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "address"))
		plain := netip.AddrFrom4(b)
		want := notice.CheckAddress(plain, nil)
		for _, dressed := range []netip.Addr{
			netip.AddrFrom16(plain.As16()),
			netip.AddrFrom16([16]byte{0x00, 0x64, 0xff, 0x9b, 12: b[0], 13: b[1], 14: b[2], 15: b[3]}),
			netip.AddrFrom16([16]byte{0x20, 0x02, b[0], b[1], b[2], b[3], 15: 1}),
		} {
			require.Equal(t, want, notice.CheckAddress(dressed, nil), "%s as %s", plain, dressed)
		}
	})
}

func TestURLsThatCanNeverBeCalledAreRefused(t *testing.T) {
	cases := map[string]string{
		"": "is required", "   ": "is required",
		"ftp://example.com/":                              "http:// or https://",
		"example.com/hook":                                "http:// or https://",
		"//example.com/hook":                              "http:// or https://",
		"javascript:alert(1)":                             "http:// or https://",
		"http://":                                         "must name a host",
		"http:///path":                                    "must name a host",
		"http://:8080/":                                   "must name a host",
		"http:example.com":                                "must name a host",
		"http://user@example.com/":                        "user or password",
		"http://u:p@example.com/":                         "user or password",
		"http://example.com/#top":                         "fragment",
		"http://example.com/#":                            "fragment",
		"http://[fe80::1%25eth0]/":                        "zone",
		"http://[fe80::1%eth0]/":                          "zone",
		"http://１２７.0.0.1/":                               "loopback",
		"http://127。0。0。1/":                               "loopback",
		"http://%31%32%37.0.0.1/":                         "loopback",
		"http://[::FFFF:127.0.0.1]/":                      "loopback",
		"http://l%6Fcalhost/":                             "localhost",
		"http://example.com%3A80/":                        "is not a URL",
		"http://a%40example.com/":                         "is not a URL",
		"http://example.com/%2":                           "is not a URL",
		"http://example.com:0/":                           "port",
		"http://example.com:65536/":                       "port",
		"http://example.com:http/":                        "is not a URL",
		"http://exa mple.com/":                            "blanks",
		"http://example.com/a b":                          "blanks",
		"http://example.com/\n":                           "control characters",
		"http://example.com\\@a.b/":                       "backslashes",
		"http://exam\x00ple.com/":                         "control characters",
		"http://example.com/\xff":                         "UTF-8",
		"http://[::1/":                                    "is not a URL",
		"http://example..com/":                            "valid host",
		"http://-.com/":                                   "valid host",
		"http://a%zz.com/":                                "is not a URL",
		"http://127.0.0.1/":                               "loopback",
		"https://127.0.0.1:9000/x":                        "loopback",
		"http://[::1]/":                                   "loopback",
		"http://[::ffff:7f00:1]:80/":                      "loopback",
		"http://localhost/":                               "localhost",
		"http://LOCALHOST:8080/":                          "localhost",
		"http://a.localhost/":                             "localhost",
		"http://localhost./":                              "localhost",
		"http://10.0.0.1/":                                "private",
		"http://169.254.169.254/":                         "link-local",
		"http://0.0.0.0/":                                 "unspecified",
		"http://2130706433/":                              "valid host",
		"http://0x7f000001/":                              "valid host",
		"http://0x7f.1/":                                  "valid host",
		"http://127.1/":                                   "valid host",
		"http://0177.0.0.1/":                              "valid host",
		"http://127.0.0.1./":                              "valid host",
		"http://example.com/" + strings.Repeat("a", 2048): "2048",
		"http://" + strings.Repeat("a.", 130) + "com/":    "valid host",
	}
	for raw, word := range cases {
		err := notice.CheckURL(raw, notice.Reach{})
		refusal := ticket.AsError(err)
		require.NotNil(t, refusal, "%q must be refused", raw)
		require.Equal(t, ticket.Invalid, refusal.Code)
		require.Equal(t, "url", refusal.Field)
		require.Contains(t, refusal.Message, word, "%q", raw)
	}
}

func TestURLsThatCanBeCalledAreTaken(t *testing.T) {
	for _, raw := range []string{"http://myhost.com/i/need/this/callback", "https://example.com", "HTTPS://Example.COM:8443/x?y=z&a=%23",
		"http://hooks_v2.example.com/", "http://example.com:/", "http://ex%61mple.com/", "http://example.com/?ids[]=50%&q={é}", "http://receiver:8080/", "http://例え.jp/路径", "http://1.1.1.1/", "http://[2606:4700:4700::1111]:8080/",
		"http://example.com./", "http://example.com/" + strings.Repeat("异", 2048-19)} {
		require.NoError(t, notice.CheckURL(raw, notice.Reach{}), "%q", raw)
	}
	loopback := notice.Reach{Networks: prefixes("127.0.0.0/8")}
	for _, raw := range []string{"http://127.0.0.1:9000/", "http://localhost:9000/", "http://[::ffff:127.0.0.1]/"} {
		require.NoError(t, notice.CheckURL(raw, loopback), "%q", raw)
	}
	require.Error(t, notice.CheckURL("http://[::1]/", loopback))
}

func TestAnOperatorSaysWhichPortsAreCalled(t *testing.T) {
	reach := notice.Reach{Ports: []uint16{443, 8443}}
	for _, raw := range []string{"https://example.com/", "https://example.com:443/", "http://example.com:8443/"} {
		require.NoError(t, notice.CheckURL(raw, reach), "%q", raw)
	}
	for raw, port := range map[string]string{"http://example.com/": "80", "https://example.com:22/": "22", "https://example.com:065443/": "65443"} {
		refusal := ticket.AsError(notice.CheckURL(raw, reach))
		require.NotNil(t, refusal, "%q", raw)
		require.Equal(t, "url", refusal.Field)
		require.Contains(t, refusal.Message, "port "+port+" is not among those")
	}
	require.NoError(t, notice.Reach{}.CheckPort(22), "none named: any")
}
