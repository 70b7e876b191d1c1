package sdkhmac

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// golden is a request that huaweicloud-sdk-go-v3 v0.1.207 sent, byte for byte. Its file begins with the secret it was signed with.
type golden struct {
	secret string
	raw    []byte
	http   *http.Request
	body   []byte
	at     time.Time
}

func goldens(t *testing.T, folder string) map[string]golden {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", folder, "*.http"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	all := map[string]golden{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		first, raw, _ := bytes.Cut(content, []byte("\n"))
		g := golden{secret: strings.TrimPrefix(string(first), "secret: "), raw: raw}
		g.http, err = http.ReadRequest(bufio.NewReader(bytes.NewReader(raw)))
		require.NoError(t, err)
		g.body, err = io.ReadAll(g.http.Body)
		require.NoError(t, err)
		g.at, err = time.Parse(dateFormat, g.http.Header.Get(HeaderDate))
		require.NoError(t, err)
		all[strings.TrimSuffix(filepath.Base(file), ".http")] = g
	}
	return all
}

// request gives what the verifier sees of it, and a header that tests may change.
func (g golden) request() (Request, map[string][]string) {
	header := map[string][]string{"host": {g.http.Host}}
	for name, values := range g.http.Header {
		header[strings.ToLower(name)] = slices.Clone(values)
	}
	path, query, _ := strings.Cut(g.http.RequestURI, "?")
	return Request{Method: g.http.Method, Path: path, Query: query, Body: bytes.Clone(g.body),
		Header: func(name string) []string { return header[name] }}, header
}

func (g golden) parsed(t *testing.T) Authorization {
	t.Helper()
	a, err := Parse(g.http.Header.Get("Authorization"))
	require.NoError(t, err)
	return a
}

// verify is for tests that do not ask which secret fits.
func verify(a Authorization, r Request, secrets []string, now time.Time) error {
	_, _, err := a.Verify(r, secrets, now)
	return err
}

func TestVerifyAcceptsWhatTheSDKSends(t *testing.T) {
	for name, g := range goldens(t, "accepted") {
		t.Run(name, func(t *testing.T) {
			a := g.parsed(t)
			r, _ := g.request()
			assert.Equal(t, "test-ak", a.Access)
			assert.NoError(t, verify(a, r, []string{g.secret}, g.at))
			assert.NoError(t, verify(a, r, []string{"an older secret", g.secret, "a newer secret"}, g.at), "any valid secret will do")
			assert.Error(t, verify(a, r, []string{g.secret + "x"}, g.at))
			assert.Error(t, verify(a, r, []string{""}, g.at))
			assert.Error(t, verify(a, r, nil, g.at))
		})
	}
}

func TestVerifyAllowsForClocks(t *testing.T) {
	g := goldens(t, "accepted")["accept"]
	a := g.parsed(t)
	r, _ := g.request()
	for _, away := range []time.Duration{0, Skew, -Skew} {
		assert.NoError(t, verify(a, r, []string{g.secret}, g.at.Add(away)), away)
	}
	for _, away := range []time.Duration{Skew + time.Second, -Skew - time.Second, 24 * time.Hour, -100 * 365 * 24 * time.Hour} {
		assert.ErrorContains(t, verify(a, r, []string{g.secret}, g.at.Add(away)), "more than 15 minutes", away)
	}
}

// Every byte that the signature covers is changed in turn.
func TestVerifyRefusesWhatWasTamperedWith(t *testing.T) {
	for name, g := range goldens(t, "accepted") {
		t.Run(name, func(t *testing.T) {
			refused := func(what string, change func(a *Authorization, r *Request, header map[string][]string)) {
				t.Helper()
				a := g.parsed(t)
				r, header := g.request()
				change(&a, &r, header)
				assert.Error(t, verify(a, r, []string{g.secret}, g.at), what)
			}
			each := func(what, value string, set func(a *Authorization, r *Request, header map[string][]string, changed string)) {
				t.Helper()
				for i := range len(value) {
					changed := []byte(value)
					changed[i] ^= 1
					refused(what, func(a *Authorization, r *Request, header map[string][]string) { set(a, r, header, string(changed)) })
				}
			}
			original, header := g.request()
			each("method", original.Method, func(_ *Authorization, r *Request, _ map[string][]string, v string) { r.Method = v })
			each("path", original.Path, func(_ *Authorization, r *Request, _ map[string][]string, v string) { r.Path = v })
			each("query", original.Query, func(_ *Authorization, r *Request, _ map[string][]string, v string) { r.Query = v })
			each("body", string(original.Body), func(_ *Authorization, r *Request, _ map[string][]string, v string) { r.Body = []byte(v) })
			each("signature", string(g.parsed(t).Signature), func(a *Authorization, _ *Request, _ map[string][]string, v string) { a.Signature = []byte(v) })
			for i, signed := range g.parsed(t).SignedHeaders {
				each(signed, header[signed][0], func(_ *Authorization, _ *Request, header map[string][]string, v string) { header[signed] = []string{v} })
				refused("without "+signed, func(_ *Authorization, _ *Request, header map[string][]string) { delete(header, signed) })
				refused(signed+" twice", func(_ *Authorization, _ *Request, header map[string][]string) {
					header[signed] = append(header[signed], "more")
				})
				refused(signed+" no longer signed", func(a *Authorization, _ *Request, _ map[string][]string) {
					a.SignedHeaders = slices.Delete(slices.Clone(a.SignedHeaders), i, i+1)
				})
			}
			refused("longer path", func(_ *Authorization, r *Request, _ map[string][]string) { r.Path += "/more" })
			refused("longer query", func(_ *Authorization, r *Request, _ map[string][]string) { r.Query += "&more=1" })
			refused("longer body", func(_ *Authorization, r *Request, _ map[string][]string) { r.Body = append(r.Body, ' ') })
			refused("another hash claimed", func(_ *Authorization, r *Request, header map[string][]string) {
				header["x-sdk-content-sha256"] = []string{hash(r.Body)}
				r.Body = append(r.Body, ' ')
			})
			refused("body said to be unsigned", func(_ *Authorization, r *Request, header map[string][]string) {
				header["x-sdk-content-sha256"] = []string{"UNSIGNED-PAYLOAD"}
			})
		})
	}
}

// A form is sent with its body left out of the signature. No call takes one, so that would only leave a hole.
func TestVerifyRefusesUnsignedBodies(t *testing.T) {
	for name, g := range goldens(t, "refused") {
		r, _ := g.request()
		assert.ErrorContains(t, verify(g.parsed(t), r, []string{g.secret}, g.at), "bodies must be signed", name)
	}
}

// The order of the query is the sender's own affair, and a hash of the body that fits may be sent along.
func TestVerifyAcceptsTheSameInOtherSpelling(t *testing.T) {
	g := goldens(t, "accepted")["query-escapes"]
	a := g.parsed(t)
	r, header := g.request()
	pairs := strings.Split(r.Query, "&")
	slices.Reverse(pairs)
	r.Query = strings.Join(pairs, "&")
	r.Path = strings.Replace(r.Path, "external", "%65xternal", 1)
	assert.NoError(t, verify(a, r, []string{g.secret}, g.at))
	header["user-agent"] = []string{" " + header["user-agent"][0] + " "}
	header["x-sdk-content-sha256"] = []string{hash(nil)}
	assert.NoError(t, verify(a, r, []string{g.secret}, g.at))
}

const wellFormed = "SDK-HMAC-SHA256 Access=ak, SignedHeaders=host;x-sdk-date, Signature=" +
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789ABCDEF"

func TestParse(t *testing.T) {
	a, err := Parse(wellFormed)
	require.NoError(t, err)
	assert.Equal(t, "ak", a.Access)
	assert.Equal(t, []string{"host", "x-sdk-date"}, a.SignedHeaders)
	assert.Len(t, a.Signature, 32)
	for name, change := range map[string][2]string{
		"other scheme":        {"SDK-HMAC-SHA256", "SDK-HMAC-SM3"},
		"no access":           {"Access=ak, ", ""},
		"empty access":        {"Access=ak", "Access="},
		"access with blanks":  {"Access=ak", "Access=a k"},
		"access not ASCII":    {"Access=ak", "Access=鐵"},
		"access twice":        {"Access=ak", "Access=ak, Access=ak"},
		"not a pair":          {"Access=ak", "Access"},
		"no commas":           {", ", " "},
		"no headers":          {"host;x-sdk-date", ""},
		"empty header":        {"host;", "host;;"},
		"header twice":        {"host;", "host;host;"},
		"upper case":          {"host;", "Host;"},
		"header with newline": {"host;", "ho\nst;"},
		"date not signed":     {"host;x-sdk-date", "host"},
		"too many headers":    {"host;", strings.Repeat("a;", 64)},
		"short signature":     {"ABCDEF", "ABCD"},
		"odd signature":       {"ABCDEF", "ABCDE"},
		"long signature":      {"ABCDEF", "ABCDEF00"},
		"not hexadecimal":     {"ABCDEF", "ABCDEX"},
		"no signature":        {", Signature=", ", Sign="},
	} {
		t.Run(name, func(t *testing.T) {
			changed := strings.Replace(wellFormed, change[0], change[1], 1)
			require.NotEqual(t, wellFormed, changed)
			_, err := Parse(changed)
			assert.Error(t, err)
		})
	}
	for _, header := range []string{"", " ", "SDK-HMAC-SHA256", "SDK-HMAC-SHA256 ", "Bearer x", ",", "="} {
		_, err := Parse(header)
		assert.Error(t, err, header)
	}
}

func TestVerifySaysWhatIsWrongWithDates(t *testing.T) {
	g := goldens(t, "accepted")["accept"]
	a := g.parsed(t)
	for date, says := range map[string]string{"": "must be a UTC time", "2026-11-24T15:01:07Z": "must be a UTC time", "20261324T150107Z": "must be a UTC time"} {
		r, header := g.request()
		header["x-sdk-date"] = []string{date}
		assert.ErrorContains(t, verify(a, r, []string{g.secret}, g.at), says)
	}
	r, header := g.request()
	header["x-sdk-date"] = append(header["x-sdk-date"], header["x-sdk-date"]...)
	assert.ErrorContains(t, verify(a, r, []string{g.secret}, g.at), "once")
}

// Whatever a stranger sends: no panic, and only what is complete comes through.
func FuzzParse(f *testing.F) {
	f.Add(wellFormed, "/v1/external/incident/handle", "limit=50&offset=2")
	f.Add("sdk-hmac-sha256 Signature=,SignedHeaders=;;;,Access==", "%", "%zz;")
	f.Add("SDK-HMAC-SHA256", "", "&=&")
	f.Fuzz(func(t *testing.T, header, path, query string) {
		a, err := Parse(header)
		if err != nil {
			return
		}
		if a.Access == "" || len(a.Signature) != 32 || !slices.Contains(a.SignedHeaders, "x-sdk-date") {
			t.Fatalf("%q came through as %+v", header, a)
		}
		at := time.Date(2026, 11, 24, 15, 1, 7, 0, time.UTC)
		values := map[string][]string{"x-sdk-date": {at.Format(dateFormat)}}
		r := Request{Method: "GET", Path: path, Query: query, Header: func(name string) []string { return values[name] }}
		if err := verify(a, r, []string{"a secret nobody knows"}, at); err == nil {
			t.Fatalf("%q was taken for a signature", header)
		}
		// Escaping what was unescaped is stable: signer and verifier agree on the path whatever is in it.
		if once, err := canonicalPath(path); err == nil {
			if twice, err := canonicalPath(once); err != nil || twice != once {
				t.Fatalf("%q became %q and then %q", path, once, twice)
			}
		}
	})
}

// FuzzVerify: whatever a request is, its signature fits it or is refused with a sentence, and one that was made for it fits under its secret
// alone.
func FuzzVerify(f *testing.F) {
	f.Add("/v1/external/incident/handle", "a=b&a=%e4%b8%ad&=", "host", "a", "", []byte(`{}`))
	f.Add("/%zz//..%2f", "a;b&%", "x-sdk-content-sha256", " ABC ", "x", []byte("\xff"))
	f.Add("", "+=+&%00", "x-sdk-date", "20260102T030405Z", "20260102T030405Z", []byte{})
	f.Fuzz(func(t *testing.T, path, query, name, value, claimed string, body []byte) {
		headers := map[string][]string{"x-sdk-date": {"20260102T030405Z"}}
		if isHeaderName(name) {
			headers[name] = append(headers[name], value)
		}
		if claimed != "" {
			headers["x-sdk-content-sha256"] = append(headers["x-sdk-content-sha256"], claimed)
		}
		r := Request{Method: "POST", Path: path, Query: query, Body: body, Header: func(name string) []string { return headers[name] }}
		signed := []string{"x-sdk-date"}
		if isHeaderName(name) && name != "x-sdk-date" {
			signed = append(signed, name)
		}
		now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		a := Authorization{Access: "a", SignedHeaders: signed, Signature: make([]byte, 32)}
		require.Error(t, verify(a, r, []string{"secret"}, now), "nobody signed it")
		date, _, err := r.date(now)
		if err != nil {
			return
		}
		hashed, err := r.bodyHash()
		if err != nil {
			return
		}
		canonical, err := r.canonical(signed, hashed)
		if err != nil {
			return
		}
		mac := hmac.New(sha256.New, []byte("secret"))
		mac.Write([]byte(Algorithm + "\n" + date + "\n" + hash([]byte(canonical))))
		a.Signature = mac.Sum(nil)
		require.NoError(t, verify(a, r, []string{"other", "secret"}, now))
		require.Error(t, verify(a, r, []string{"other"}, now))
		r.Body = append([]byte("x"), body...)
		require.Error(t, verify(a, r, []string{"secret"}, now), "another body")
	})
}
