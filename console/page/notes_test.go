package page

import (
	"crypto/tls"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	han     = regexp.MustCompile(`\p{Han}`)
	english = regexp.MustCompile(`[a-z]{3,} [a-z]{2,}`)
)

// inChinese tells whether nothing of a sentence is left in English, but for what is filled in.
func inChinese(sentence string) (said string, ok bool) {
	said = chineseRefusals().say("zh", sentence)
	return said, han.MatchString(said) && !english.MatchString(said)
}

// TestEveryNoteOfAProcessIsThereInChinese reads the sources of processes for what they say in their log, in notes that nobody has written, and for why a call was no use.
func TestEveryNoteOfAProcessIsThereInChinese(t *testing.T) {
	files, err := filepath.Glob("../../flow/*.go")
	require.NoError(t, err)
	found := 0
	check := func(file, sentence string) {
		if !strings.Contains(strings.TrimSpace(verb.ReplaceAllString(sentence, "")), " ") && !strings.HasPrefix(sentence, "after ") {
			return // "HTTP 200", a name
		}
		if filepath.Base(file) == "sla.go" { // of an SLA and its target, which pages take apart
			return
		}
		found++
		if strings.HasPrefix(sentence, ", ") { // added to another one
			sentence = "%s" + sentence
		}
		if said, ok := inChinese(filled(sentence)); !ok {
			t.Errorf("%s notes %q, which locales/refusals.zh.toml has not (%q)", file, sentence, said)
		}
	}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		require.NoError(t, err)
		for _, d := range parsed.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Body == nil {
				continue
			}
			noted := map[string]bool{"Note": true} // variables that become notes
			ast.Inspect(f.Body, func(n ast.Node) bool {
				if entry, ok := n.(*ast.CompositeLit); ok && called(entry.Type) == "LogEntry" {
					for _, e := range entry.Elts {
						if pair, ok := e.(*ast.KeyValueExpr); ok && called(pair.Key) == "Note" {
							noted[called(pair.Value)] = true
							check(file, sentenceOf(pair.Value))
						}
					}
				}
				return true
			})
			ast.Inspect(f.Body, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.AssignStmt:
					if len(n.Lhs) == 1 && noted[called(n.Lhs[0])] && called(n.Lhs[0]) != "" {
						check(file, sentenceOf(n.Rhs[0]))
					}
				case *ast.CallExpr:
					if base := filepath.Base(file); base != "answer.go" && base != "outside.go" {
						return true
					}
					if name := calledName(n); name == "Errorf" || name == "New" && len(n.Args) == 1 {
						format, ok := literal(firstOf(n.Args))
						if !ok {
							format = sentenceOf(firstOf(n.Args))
						}
						check(file, strings.ReplaceAll(format, "%w", "%s"))
					}
				}
				return true
			})
		}
	}
	require.Greater(t, found, 12)
}

// called gives the last name of an expression.
func called(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

// TestEveryAddressThatIsNotAllowedSaysWhyInChinese reads the source of the guard for what it says.
func TestEveryAddressThatIsNotAllowedSaysWhyInChinese(t *testing.T) {
	found := 0
	for _, file := range []string{"notice/address.go", "activities/guard.go"} {
		parsed, err := parser.ParseFile(token.NewFileSet(), "../../"+file, nil, 0)
		require.NoError(t, err)
		ast.Inspect(parsed, func(n ast.Node) bool {
			entry, ok := n.(*ast.CompositeLit)
			if !ok {
				return true
			}
			var why ast.Expr
			prefix := "the address is not allowed: "
			switch name := called(entry.Type); {
			case name == "BlockedError" && len(entry.Elts) == 1:
				why = entry.Elts[0].(*ast.KeyValueExpr).Value
			case name == "proxyError" && len(entry.Elts) == 1:
				why, prefix = entry.Elts[0], "our proxy "
			case entry.Type == nil && len(entry.Elts) == 2: // a kind of addresses
				why = entry.Elts[1]
			default:
				return true
			}
			sentence := sentenceOf(why)
			if sentence == "%s" {
				return true
			}
			found++
			if said, ok := inChinese(prefix + filled(sentence)); !ok {
				t.Errorf("%s says %q, which locales/refusals.zh.toml has not (%q)", file, sentence, said)
			}
			return true
		})
	}
	require.Greater(t, found, 20)
}

// TestConnectionsFailInChinese: what the network says of a try, as tries tell it (activities, errorLine), from connections that do fail, and in sentences of Go's library.
func TestConnectionsFailInChinese(t *testing.T) {
	lines := []string{
		"look up host.invalid: no such host", "look up host.invalid: server misbehaving", "no connection in time", "the time was over", "EOF", "unexpected EOF",
		"dial: connect: network is unreachable", "dial: connect: no route to host", "dial: connect: connection timed out", "read: connection reset by peer", "write: broken pipe",
		"http: server closed idle connection", "net/http: HTTP/1.x transport connection broken: unexpected EOF",
		"read: read: connection reset by peer", "write: write: broken pipe", "remote error: tls: handshake failure", "remote error: tls: bad certificate", "remote error: tls: certificate required",
		"tls: failed to verify certificate: x509: certificate has expired or is not yet valid: current time 2026-11-24T09:15:04Z is after 2026-01-01T00:00:00Z",
		"tls: failed to verify certificate: x509: certificate is valid for a.example, b.example, not c.example",
		"tls: failed to verify certificate: x509: cannot validate certificate for 127.0.0.1 because it doesn't contain any IP SANs",
	}
	plain, secure := httptest.NewServer(http.NotFoundHandler()), httptest.NewUnstartedServer(http.NotFoundHandler())
	defer plain.Close()
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	defer secure.Close()
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	cutting, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer cutting.Close()
	go func() {
		for {
			c, err := cutting.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS13}}, Timeout: time.Minute}
	for _, at := range []string{"http://" + closed.Addr().String(), secure.URL, strings.Replace(plain.URL, "http:", "https:", 1), "http://" + cutting.Addr().String(), "https://" + cutting.Addr().String()} {
		_, err := client.Get(at) //nolint:bodyclose // there is none
		require.Error(t, err, at)
		var outer *url.Error
		var operation *net.OpError
		require.ErrorAs(t, err, &outer)
		line := outer.Err.Error()
		if errors.As(err, &operation) {
			line = operation.Op + ": " + operation.Err.Error()
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	for _, line := range slices.Compact(lines) {
		if said, ok := inChinese(line); !ok {
			t.Errorf("locales/refusals.zh.toml has not, or not all of, %q (%q)", line, said)
		}
	}
}
