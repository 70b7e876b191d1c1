package notice

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// Address is an address of HTTP in the one spelling that all its spellings have in common (RFC 3986, sections 6.2.2 and 6.2.3), and the name of its host.
type Address struct {
	// URL is what is stored and requested: scheme and host in lower case, the host in ASCII (IDNA), no port that is the scheme's own, a path without dot
	// segments that is at least "/", and in path and query nothing but what RFC 3986 lets stand there; the rest is percent-encoded, in upper case.
	URL string
	// Host is the host of the URL, with its port if there is one: the one name by which shares, breakers, alerts and logs know it.
	Host string
}

// AddressOf gives an address in its one spelling. What CheckURL refuses for its form is given as it stands, and is a host of its own.
func AddressOf(raw string) Address {
	p, fault := parseAddress(raw)
	if fault != "" {
		return Address{URL: raw, Host: raw}
	}
	return p.address()
}

// OriginOf gives scheme, host and port of an address in its one spelling (RFC 6454), without the rest.
func OriginOf(raw string) string {
	a := AddressOf(raw)
	if i := strings.Index(a.URL, "://"+a.Host+"/"); i >= 0 {
		return a.URL[:i] + "://" + a.Host
	}
	return a.URL
}

// parts are those of an address that is well formed, each in its one spelling.
type parts struct {
	scheme string
	name   string     // of the host, in ASCII; empty: it is an IP address
	ip     netip.Addr // of the host, where it is one
	port   uint16
	path   string
	query  string // with its question mark; empty: there is none
}

var ownPort = map[string]uint16{"http": 80, "https": 443}

func (p parts) address() Address {
	host := p.name
	switch {
	case p.ip.Is4():
		host = p.ip.String()
	case p.ip.Is6():
		host = "[" + p.ip.String() + "]"
	}
	if p.port != ownPort[p.scheme] {
		host += ":" + strconv.Itoa(int(p.port))
	}
	return Address{URL: p.scheme + "://" + host + p.path + p.query, Host: host}
}

// parseAddress takes an address apart, or says what is wrong with its form. An IPv4 address within an IPv6 one is that IPv4 address.
func parseAddress(raw string) (p parts, fault string) {
	scheme, rest, _ := strings.Cut(raw, ":")
	if p.scheme = strings.ToLower(scheme); ownPort[p.scheme] == 0 {
		return p, "must begin with http:// or https://"
	}
	rest, slashes := strings.CutPrefix(rest, "//")
	end := strings.IndexAny(rest+"/", "/?#")
	authority, rest := percent(rest[:min(end, len(rest))], authorityChars), rest[min(end, len(rest)):]
	path, query, asked := strings.Cut(rest, "?")
	u, err := url.Parse(p.scheme + "://" + authority)
	_, invalid := url.PathUnescape(path)
	switch {
	case strings.Contains(rest, "#"):
		return p, "must not contain a fragment"
	case strings.Contains(authority, "@"):
		return p, "must not contain a user or password"
	case !slashes, authority == "", strings.HasPrefix(authority, ":"):
		return p, "must name a host"
	case strings.HasPrefix(authority, "[") && strings.Contains(authority, "%"):
		return p, "must not name the zone of an address, which means something on one machine alone"
	case err != nil, invalid != nil:
		return p, "is not a URL"
	}
	p.port = ownPort[p.scheme]
	if text := u.Port(); text != "" {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil || n == 0 {
			return p, "has a port that is not between 1 and 65535"
		}
		p.port = uint16(n)
	}
	name, err := hostNames.ToASCII(u.Hostname())
	if p.ip, _ = netip.ParseAddr(u.Hostname()); !p.ip.IsValid() {
		if err != nil {
			return p, badHost
		}
		p.ip, _ = netip.ParseAddr(name) // of digits that were not in ASCII
	}
	if p.ip = p.ip.Unmap(); !p.ip.IsValid() {
		p.name = name
	}
	p.path = withoutDots(percent(path, pathChars))
	if asked {
		p.query = "?" + percent(query, pathChars+"?")
	}
	return p, ""
}

// hostNames maps names as a look-up does (UTS 46); underscores may stand in them, which are in use on private networks.
var hostNames = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.Transitional(false), idna.StrictDomainName(false))

const badHost = "does not name a valid host"

// Characters beside letters and digits that stand for themselves (RFC 3986, appendix A).
const (
	unreserved     = "-._~"
	pathChars      = unreserved + "!$&'()*+,;=" + ":@" + "/" // pchar, and what separates segments
	authorityChars = unreserved + "!$&'()*+,;=" + ":@[]%"    // a percent sign that begins nothing stays what is wrong
)

// percent writes a text with percent-encoding where it has to be, in upper case, and nowhere else. A percent sign that begins none stands for itself.
func percent(text, plain string) string {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		c, encoded := text[i], false
		if c == '%' && i+2 < len(text) {
			if n, err := strconv.ParseUint(text[i+1:i+3], 16, 8); err == nil {
				c, encoded, i = byte(n), true, i+2
			}
		}
		switch {
		case alphanumeric(c), strings.IndexByte(unreserved, c) >= 0, !encoded && strings.IndexByte(plain, c) >= 0:
			out.WriteByte(c)
		default:
			fmt.Fprintf(&out, "%%%02X", c)
		}
	}
	return out.String()
}

func alphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// withoutDots takes the segments "." and ".." out of a path (RFC 3986, section 5.2.4). An empty path is "/".
func withoutDots(path string) string {
	var kept []string
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, segment := range segments {
		dots := segment == "." || segment == ".."
		if segment == ".." && len(kept) > 0 {
			kept = kept[:len(kept)-1]
		}
		switch {
		case !dots:
			kept = append(kept, segment)
		case i == len(segments)-1:
			kept = append(kept, "")
		}
	}
	return "/" + strings.Join(kept, "/")
}
