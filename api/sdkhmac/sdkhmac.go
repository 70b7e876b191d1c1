// Package sdkhmac tells who calls by the SDK-HMAC-SHA256 signature that Huawei Cloud's SDKs put on their requests: AK = the app's code,
// SK = its secret.
//
// What is signed, as github.com/huaweicloud/huaweicloud-sdk-go-v3 does it (core/auth/signer): the canonical request is the method, the path
// (each segment escaped anew, always closed by "/"), the sorted query, the signed headers as "name:value" lines and an empty line, their
// names, and the SHA-256 of the body in hex, joined by newlines. Signed is the algorithm, the date and the SHA-256 of that; the SK itself is
// the key.
package sdkhmac

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Algorithm is the scheme of the Authorization header.
const Algorithm = "SDK-HMAC-SHA256"

// Skew is how far a request's date may lie from our clock, either way; the real gateway allows as much.
const Skew = 15 * time.Minute

// Repeats is how far from its date a signature may be one that an honest caller made twice: the SDK's dates are whole seconds and nothing else in
// a request differs, so two equal calls made at once are signed alike. The real gateway takes both.
const Repeats = 2 * time.Second

// Headers of a signed request, beside Authorization.
const (
	HeaderDate        = "X-Sdk-Date"           // when it was signed: 20060102T150405Z
	HeaderContentHash = "X-Sdk-Content-Sha256" // takes the place of the body's hash; the SDKs send it with bodies that are not JSON
)

const dateFormat = "20060102T150405Z"

// maxSignedHeaders bounds the work that a stranger can ask for.
const maxSignedHeaders = 64

// Authorization is an Authorization header of this scheme, taken apart.
type Authorization struct {
	Access        string   // AK
	SignedHeaders []string // in lower case, as sent
	Signature     []byte   // 32 bytes
}

// Request is a request as it came over the wire.
type Request struct {
	Method string
	Path   string                     // still escaped
	Query  string                     // still escaped, without "?"
	Header func(name string) []string // every value of a header; the name is in lower case
	Body   []byte
}

// Is reports whether an Authorization header is of this scheme. Schemes are compared without regard to case (RFC 9110, section 11.1).
func Is(header string) bool {
	scheme, _, _ := strings.Cut(strings.TrimSpace(header), " ")
	return strings.EqualFold(scheme, Algorithm)
}

// Parse takes an Authorization header apart: "SDK-HMAC-SHA256 Access=…, SignedHeaders=a;b, Signature=…", the parts in any order. Its
// errors are sentences for the caller.
func Parse(header string) (Authorization, error) {
	if !Is(header) {
		return Authorization{}, errors.New("the scheme must be " + Algorithm)
	}
	_, rest, _ := strings.Cut(strings.TrimSpace(header), " ")
	parts := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		name, value, ok := strings.Cut(strings.TrimSpace(part), "=")
		_, twice := parts[name]
		if !ok || twice {
			return Authorization{}, errors.New("Access, SignedHeaders and Signature must each be there once, as name=value with commas between")
		}
		parts[name] = value
	}
	a := Authorization{Access: parts["Access"]}
	if a.Access == "" || strings.ContainsFunc(a.Access, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return Authorization{}, errors.New("Access must be the app's code")
	}
	var err error
	if a.Signature, err = hex.DecodeString(parts["Signature"]); err != nil || len(a.Signature) != sha256.Size {
		return Authorization{}, errors.New("Signature must be 64 hexadecimal digits")
	}
	a.SignedHeaders = strings.Split(parts["SignedHeaders"], ";")
	if len(a.SignedHeaders) > maxSignedHeaders {
		return Authorization{}, errors.New("SignedHeaders must be at most 64 names")
	}
	for i, name := range a.SignedHeaders {
		if !isHeaderName(name) || slices.Contains(a.SignedHeaders[:i], name) {
			return Authorization{}, errors.New("SignedHeaders must be different names of headers in lower case with semicolons between")
		}
	}
	if !slices.Contains(a.SignedHeaders, strings.ToLower(HeaderDate)) {
		return Authorization{}, errors.New("the header " + HeaderDate + " must be signed")
	}
	return a, nil
}

// isHeaderName reports whether s is a token (RFC 9110, section 5.6.2) in lower case.
func isHeaderName(s string) bool {
	for _, c := range []byte(s) {
		letter := c >= 'a' && c <= 'z' || c >= '0' && c <= '9'
		if !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return s != ""
}

// Verify checks that the request was signed with one of the secrets, and lately, and gives the secret and the date that was signed. How long it
// takes does not depend on which one fits, or how well. Its errors are sentences for the caller.
func (a Authorization) Verify(r Request, secrets []string, now time.Time) (secret string, at time.Time, err error) {
	date, at, err := r.date(now)
	if err != nil {
		return "", at, err
	}
	body, err := r.bodyHash()
	if err != nil {
		return "", at, err
	}
	canonical, err := r.canonical(a.SignedHeaders, body)
	if err != nil {
		return "", at, err
	}
	signed := Algorithm + "\n" + date + "\n" + hash([]byte(canonical))
	match := -1
	for i, secret := range secrets {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(signed))
		match = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(mac.Sum(nil), a.Signature), i, match)
	}
	if match < 0 {
		return "", at, errors.New("the signature does not fit the request")
	}
	return secrets[match], at, nil
}

// date gives the date as it was sent, and when that is.
func (r Request) date(now time.Time) (sent string, at time.Time, err error) {
	dates := r.Header(strings.ToLower(HeaderDate))
	if len(dates) != 1 {
		return "", at, errors.New("the header " + HeaderDate + " must be there once")
	}
	date := strings.TrimSpace(dates[0])
	at, err = time.Parse(dateFormat, date)
	if err != nil {
		return "", at, errors.New("the header " + HeaderDate + " must be a UTC time such as 20060102T150405Z")
	}
	if age := now.Sub(at); age > Skew || age < -Skew {
		return "", at, errors.New("the header " + HeaderDate + " is more than 15 minutes away from our clock, which is at " + now.UTC().Format(dateFormat))
	}
	return date, at, nil
}

// bodyHash hashes the body. No call takes a body that is not JSON, so none may be left unsigned.
func (r Request) bodyHash() (string, error) {
	actual := hash(r.Body)
	for _, claimed := range r.Header(strings.ToLower(HeaderContentHash)) {
		if subtle.ConstantTimeCompare([]byte(strings.ToLower(strings.TrimSpace(claimed))), []byte(actual)) == 0 {
			return "", errors.New("the header " + HeaderContentHash + " does not fit the body; bodies must be signed")
		}
		// The sender hashed what it wrote there, in its own case.
		actual = strings.TrimSpace(claimed)
	}
	return actual, nil
}

func (r Request) canonical(signedHeaders []string, bodyHash string) (string, error) {
	path, err := canonicalPath(r.Path)
	if err != nil {
		return "", err
	}
	query, err := canonicalQuery(r.Query)
	if err != nil {
		return "", err
	}
	var lines []string
	for _, name := range signedHeaders {
		values := slices.Clone(r.Header(name))
		slices.Sort(values)
		for _, value := range values {
			lines = append(lines, name+":"+strings.TrimSpace(value))
		}
	}
	return strings.Join([]string{
		r.Method, path, query, strings.Join(lines, "\n") + "\n", strings.Join(signedHeaders, ";"), bodyHash,
	}, "\n"), nil
}

func canonicalPath(raw string) (string, error) {
	segments := strings.Split(raw, "/")
	for i, segment := range segments {
		plain, err := url.PathUnescape(segment)
		if err != nil {
			return "", errors.New("the path is not properly escaped")
		}
		segments[i] = escape(plain)
	}
	path := strings.Join(segments, "/")
	if !strings.HasSuffix(path, "/") {
		path += "/"
	}
	return path, nil
}

func canonicalQuery(raw string) (string, error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return "", errors.New("the query is not properly escaped")
	}
	names := make([]string, 0, len(values))
	for name := range values {
		names = append(names, name)
	}
	slices.Sort(names)
	var pairs []string
	for _, name := range names {
		list := values[name]
		slices.Sort(list)
		for _, value := range list {
			pairs = append(pairs, escape(name)+"="+escape(value))
		}
	}
	return strings.Join(pairs, "&"), nil
}

// escape leaves the unreserved characters of RFC 3986 alone and writes every other byte as %XX.
func escape(s string) string {
	var out strings.Builder
	for _, c := range []byte(s) {
		switch {
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '_', c == '-', c == '~', c == '.':
			out.WriteByte(c)
		default:
			out.WriteByte('%')
			out.WriteByte("0123456789ABCDEF"[c>>4])
			out.WriteByte("0123456789ABCDEF"[c&15])
		}
	}
	return out.String()
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
