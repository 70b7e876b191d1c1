package notice_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"signalbox/notice"
)

func TestAnAddressHasOneSpelling(t *testing.T) {
	for raw, want := range map[string]notice.Address{
		"http://h?x=1":                      {URL: "http://h/?x=1", Host: "h"},
		"HTTP://H/":                         {URL: "http://h/", Host: "h"},
		"http://h":                          {URL: "http://h/", Host: "h"},
		"http://h:/":                        {URL: "http://h/", Host: "h"},
		"http://h:80/":                      {URL: "http://h/", Host: "h"},
		"http://h:0080/":                    {URL: "http://h/", Host: "h"},
		"https://h:443/":                    {URL: "https://h/", Host: "h"},
		"http://h:443/":                     {URL: "http://h:443/", Host: "h:443"},
		"http://h/?":                        {URL: "http://h/?", Host: "h"}, // another address than without (RFC 3986, section 6.2.3)
		"http://h//a//":                     {URL: "http://h//a//", Host: "h"},
		"http://h/a/./b/../../mid/6":        {URL: "http://h/mid/6", Host: "h"}, // RFC 3986, section 5.2.4
		"http://h/a/b/c/./../../g":          {URL: "http://h/a/g", Host: "h"},   // likewise
		"http://h/../..//x/.":               {URL: "http://h//x/", Host: "h"},
		"http://h/%7euser/%2E%2e/a%2fb":     {URL: "http://h/a%2Fb", Host: "h"},
		"http://h/路径?q=é&ids[]=1|2&p=50%":   {URL: "http://h/%E8%B7%AF%E5%BE%84?q=%C3%A9&ids%5B%5D=1%7C2&p=50%25", Host: "h"},
		"http://h/a(b)!$&'*+,;=:@?a/b?c":    {URL: "http://h/a(b)!$&'*+,;=:@?a/b?c", Host: "h"},
		"http://例え.jp/":                     {URL: "http://xn--r8jz45g.jp/", Host: "xn--r8jz45g.jp"},
		"http://%E4%BE%8B%E3%81%88.JP/":     {URL: "http://xn--r8jz45g.jp/", Host: "xn--r8jz45g.jp"},
		"http://Hooks_v2.example.com/":      {URL: "http://hooks_v2.example.com/", Host: "hooks_v2.example.com"},
		"http://h./":                        {URL: "http://h./", Host: "h."}, // complete, where h may be completed
		"http://[2001:0DB8::0:1]:8080/":     {URL: "http://[2001:db8::1]:8080/", Host: "[2001:db8::1]:8080"},
		"http://[::ffff:1.2.3.4]/":          {URL: "http://1.2.3.4/", Host: "1.2.3.4"},
		"http://%31.2.3.4/":                 {URL: "http://1.2.3.4/", Host: "1.2.3.4"},
		"http://[fe80::1%25eth0]/":          {URL: "http://[fe80::1%25eth0]/", Host: "http://[fe80::1%25eth0]/"}, // from before it was refused
		"http://exa mple/":                  {URL: "http://exa mple/", Host: "http://exa mple/"},
		"http://myhost.com/i/need/callback": {URL: "http://myhost.com/i/need/callback", Host: "myhost.com"},
	} {
		require.Equal(t, want, notice.AddressOf(raw), raw)
	}
}

// Any two spellings of an address that RFC 3986 calls equivalent are one address, of which only what that lets stand in one is requested.
func TestSpellingsOfAnAddressAreOneAddress(t *testing.T) {
	// RFC 3986, appendix A: path-absolute and query.
	legal := regexp.MustCompile(`^https?://[^/?#]+/([A-Za-z0-9\-._~!$&'()*+,;=:@/]|%[0-9A-F]{2})*(\?([A-Za-z0-9\-._~!$&'()*+,;=:@/?]|%[0-9A-F]{2})*)?$`)
	rapid.Check(t, func(t *rapid.T) {
		a := drawAddress(t)
		one, other := a.spelling(t), a.spelling(t)
		address := notice.AddressOf(one)
		require.Equal(t, address, notice.AddressOf(other), "%s and %s", one, other)
		require.Equal(t, address, notice.AddressOf(address.URL), "the spelling of %s is its own", one)
		require.Regexp(t, legal, address.URL)
		require.Equal(t, notice.CheckURL(one, notice.Reach{}), notice.CheckURL(other, notice.Reach{}), "%s and %s", one, other)
		require.NoError(t, notice.CheckURL(one, notice.Reach{}))
	})
}

// An address as its parts mean it, without percent-encoding.
type address struct {
	scheme, port string
	host         [2]string // in Unicode and in ASCII
	segments     []string  // each without slashes
	query        string
	asked        bool
}

func drawAddress(t *rapid.T) address {
	text := func(what string) string {
		return rapid.StringOf(rapid.OneOf(rapid.RuneFrom([]rune("abz019-._~")), rapid.RuneFrom([]rune("!$&'()*+,;=:@")), rapid.RuneFrom([]rune(`"<>[]^{|}é路`)))).Draw(t, what)
	}
	a := address{
		scheme: rapid.SampledFrom([]string{"http", "https"}).Draw(t, "scheme"),
		port:   rapid.SampledFrom([]string{"", "80", "443", "8080"}).Draw(t, "port"),
		host: rapid.SampledFrom([][2]string{{"example.com", "example.com"}, {"例え.jp", "xn--r8jz45g.jp"}, {"bücher_1.example", "xn--bcher_1-n2a.example"}, {"8.8.8.8", "8.8.8.8"},
			{"[2606:4700:4700::1111]", "[2606:4700:4700:0:0:0:0:1111]"}}).Draw(t, "host"),
		asked: rapid.Bool().Draw(t, "asked"),
	}
	for range rapid.IntRange(0, 4).Draw(t, "segments") {
		if segment := text("segment"); segment != "." && segment != ".." {
			a.segments = append(a.segments, segment)
		}
	}
	if a.asked {
		a.query = text("query")
	}
	return a
}

// spelling writes the address in one of its ways.
func (a address) spelling(t *rapid.T) string {
	chance := func() bool { return rapid.Bool().Draw(t, "") }
	letters := func(s string) string {
		return strings.Map(func(r rune) rune {
			if chance() {
				return []rune(strings.ToUpper(string(r)))[0]
			}
			return r
		}, s)
	}
	encode := func(c byte) string {
		return "%" + letters(fmt.Sprintf("%02x", c))
	}
	// What is unreserved is the same encoded; what may not stand there is a way of writing its encoding; everything else means something else encoded.
	component := func(s string) string {
		var out strings.Builder
		for i := 0; i < len(s); {
			size := len(string([]rune(s[i:])[:1]))
			outside := strings.ContainsAny(s[i:i+size], `"<>[]^{|}é路`)
			unreserved := regexp.MustCompile(`^[A-Za-z0-9\-._~]$`).MatchString(s[i : i+size])
			if (outside || unreserved) && chance() {
				for _, c := range []byte(s[i : i+size]) {
					out.WriteString(encode(c))
				}
			} else {
				out.WriteString(s[i : i+size])
			}
			i += size
		}
		return out.String()
	}
	host := a.host[rapid.IntRange(0, 1).Draw(t, "form")]
	if !strings.HasPrefix(host, "[") {
		host = component(letters(host))
	} else {
		host = letters(host)
	}
	port := map[string]string{"": "", "80": ":80", "443": ":443", "8080": ":8080"}[a.port]
	if own := map[string]string{"http": "80", "https": "443"}[a.scheme]; a.port == "" || a.port == own {
		port = rapid.SampledFrom([]string{"", ":", ":" + own, ":0" + own}).Draw(t, "own port")
	} else if chance() {
		port = ":00" + a.port
	}
	path := ""
	for _, segment := range a.segments {
		for chance() {
			path += rapid.SampledFrom([]string{"/.", "/%2e", "/x/..", "/x/%2E."}).Draw(t, "dots")
		}
		path += "/" + component(segment)
	}
	if len(a.segments) == 0 && chance() {
		path = rapid.SampledFrom([]string{"/", "/.", "/..", "/x/.."}).Draw(t, "empty")
	}
	out := letters(a.scheme) + "://" + host + port + path
	if a.asked {
		out += "?" + component(a.query)
	}
	return out
}
