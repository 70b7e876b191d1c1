// Package demo gives a development system something to look at: persons, services, tickets in every state, and who is told of them. All of it comes in by the
// system's own API, as it would from anybody, so all of it happened when it was made: the product has no way to write a past, and the only times of the week before are
// those that callers state, such as when an outage began.
package demo

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"time"
)

//go:embed *.yaml
var services embed.FS

// Options say what is filled, and how.
type Options struct {
	API      string // http://host:port
	Secret   string // of an admin app
	Receiver string // http://host:port of a receiver.Receiver
	Mark     string // file that says that it has been done
	Now      time.Time
}

// Made counts what there is after Fill.
type Made struct {
	Tickets int  `json:"tickets"`
	Before  bool `json:"-"` // nothing was made: it was there
}

// mark is what the file says. When it was begun is kept, so that who goes on after an interruption asks for the same.
type mark struct {
	Began time.Time `json:"began"`
	Made  *Made     `json:"made,omitempty"` // once it is done
}

// Fill makes everything, once: where the mark says that it has been done it does nothing, and where it was interrupted it goes on. Every request has an idempotency key
// that is the same each time, so that nothing is made twice. Its errors name the request that was refused.
func Fill(ctx context.Context, o Options) (Made, error) {
	m, err := readMark(o.Mark)
	if err != nil {
		return Made{}, err
	}
	if m.Made != nil {
		made := *m.Made
		made.Before = true
		return made, nil
	}
	if m.Began.IsZero() {
		m.Began = o.Now.UTC().Truncate(time.Second)
		if err := m.write(o.Mark); err != nil {
			return Made{}, err
		}
	}
	s := &script{ctx: ctx, Options: o, began: m.Began}
	s.everything()
	if s.err != nil {
		return Made{}, s.err
	}
	m.Made = &Made{Tickets: s.tickets}
	return *m.Made, m.write(o.Mark)
}

func readMark(file string) (m mark, err error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err != nil {
		return m, fmt.Errorf("%s: %w", file, err)
	}
	return m, nil
}

func (m mark) write(file string) error {
	text, err := json.Marshal(m)
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}

// script makes one request after the other; after the first that is refused it makes no more.
type script struct {
	ctx context.Context
	Options
	began   time.Time
	tickets int
	asked   int
	err     error
}

// body is JSON that is sent.
type body map[string]any

// ask makes a request and gives the answer's body. content is sent as it is where it is text, otherwise as JSON.
func (s *script) ask(method, path string, content any) []byte {
	if s.err != nil {
		return nil
	}
	raw, ok := content.([]byte)
	if !ok {
		raw, s.err = json.Marshal(content)
	}
	s.asked++
	answer, err := s.send(method, path, fmt.Sprintf("demo-1-%d", s.asked), raw)
	if err != nil {
		s.err = fmt.Errorf("%s %s: %w", method, path, err)
	}
	return answer
}

func (s *script) send(method, path, key string, raw []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(s.ctx, method, s.API+path, bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+s.Secret)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Idempotency-Key", key)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, answer)
	}
	return answer, err
}

// read takes something out of an answer.
func (s *script) read(answer []byte, v any) {
	if s.err == nil {
		s.err = json.Unmarshal(answer, v)
	}
}

// open opens an issue by the house API and gives its number.
func (s *script) open(b body) string {
	var answer struct{ Result string }
	s.read(s.ask(http.MethodPost, "/api/issue", b), &answer)
	s.tickets++
	return answer.Result
}

// act does the next step of an issue.
func (s *script) act(number, who, action, node string, parameter body) {
	s.ask(http.MethodPost, "/api/issue/"+number+"/handle", body{"action": action, "operator": who, "node": node, "parameter": parameter})
}

// say adds a message.
func (s *script) say(number, who, text string) {
	s.ask(http.MethodPost, "/api/issue/"+number+"/conversation", body{"author": who, "content": text})
}

// itsm asks an operation of the itsm family, which refuses with 200.
func (s *script) itsm(operation string, b body) json.RawMessage {
	var answer struct {
		Result  bool
		Message string
		Data    json.RawMessage
	}
	s.read(s.ask(http.MethodPost, "/api/c/compapi/v2/itsm/"+operation+"/", b), &answer)
	if s.err == nil && !answer.Result {
		s.err = fmt.Errorf("%s: %s", operation, answer.Message)
	}
	return answer.Data
}

// ago is so long before everything began, in milliseconds since 1970.
func (s *script) ago(d time.Duration) int64 { return s.began.Add(-d).UnixMilli() }

// day is a date so many days after everything began.
func (s *script) day(n int) string { return s.began.AddDate(0, 0, n).Format(time.DateOnly) }
