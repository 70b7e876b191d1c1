package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/google/uuid"
)

// http is a caller that keeps its connections.
var keeping = func() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 128
	return &http.Client{Timeout: 30 * time.Second, Transport: transport}
}()

// call makes one request as a careful caller does, under a key, and gives the result of its answer.
func (m *machine) call(ctx context.Context, method, path string, body any) (json.RawMessage, error) {
	var raw []byte
	if body != nil {
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return nil, err
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, m.api+path, bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Access_Key "+secret)
	request.Header.Set("Content-Type", "application/json")
	if method != http.MethodGet {
		request.Header.Set("X-Idempotency-Key", uuid.NewString())
	}
	answer, err := keeping.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s %s: %d %s", method, path, answer.StatusCode, text)
	}
	var envelope struct{ Result json.RawMessage }
	err = json.Unmarshal(text, &envelope)
	return envelope.Result, err
}

// open opens a ticket such as callers open, and gives its number.
func (m *machine) open(ctx context.Context) (number string, err error) {
	raw, err := m.call(ctx, "POST", "/api/issue", map[string]any{
		"origin": "bench", "title": "报关单 2026-0815 与舱单不符", "description": "The manifest names three items that the declaration does not have.", "tag": []string{"customs"},
		"relations": []any{map[string]any{"type": "manifest", "content": []string{"A1", "A2", "A3"}}},
	})
	if err == nil {
		err = json.Unmarshal(raw, &number)
	}
	return number, err
}

// What is done to a ticket from its opening to its end.
var (
	accept = map[string]any{"action": "accept", "operator": "li"}
	commit = map[string]any{"action": "commit-solution", "operator": "li", "parameter": map[string]any{
		"mtm_type": "inc_type_p_config_issues", "is_service_interrupt": true, "cause": "c", "solution": "s"}}
	confirm = map[string]any{"action": "confirm", "operator": "li", "parameter": map[string]any{"virtual_confirm_result": true, "virtual_confirm_comment": "good"}}
)

func (m *machine) handle(ctx context.Context, number string, what map[string]any) error {
	_, err := m.call(ctx, "POST", "/api/issue/"+number+"/handle", what)
	return err
}

// ourLifecycle opens a ticket and brings it to its end.
func (m *machine) ourLifecycle(ctx context.Context) error {
	number, err := m.open(ctx)
	for _, what := range []map[string]any{accept, commit, confirm} {
		if err == nil {
			err = m.handle(ctx, number, what)
		}
	}
	return err
}
