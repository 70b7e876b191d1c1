package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"time"

	"signalbox/client/issue"
	"signalbox/client/publish"
	"signalbox/client/service"
)

// Open opens a ticket and gives its number.
func (c *Client) Open(ctx context.Context, o issue.Opening) (number string, err error) {
	a, err := c.Issue.OpenIssueWithResponse(ctx, nil, o)
	if err != nil {
		return "", err
	}
	return a.JSON200.Result, nil
}

// Read reads a ticket by its number or UUID.
func (c *Client) Read(ctx context.Context, id string) (*issue.Issue, error) {
	a, err := c.Issue.ReadIssueWithResponse(ctx, id)
	if err != nil {
		return nil, err
	}
	return a.JSON200, nil
}

// Act does the next step of a ticket's process: an action that its CurrentNodes take. What the parameter has to have say the schemas Solution, Verdict and Acting of the
// issue document.
func (c *Client) Act(ctx context.Context, id string, h issue.Handling) error {
	_, err := c.Issue.HandleIssueWithResponse(ctx, id, nil, h)
	return err
}

// Emit publishes an event into the tenant's stream, for whoever subscribed to such.
func (c *Client) Emit(ctx context.Context, e publish.Event) error {
	_, err := c.Publish.PublishWithResponse(ctx, nil, e)
	return err
}

// Published is the version that a service has since a document was published.
type Published struct {
	Key     string             `json:"key"`
	Number  int                `json:"number"`
	Version int                `json:"version"`
	Nodes   []service.Numbered `json:"nodes"`
}

// PublishService publishes the definition of a service, in YAML or JSON. What is wrong with one that is refused [Faults] tells.
func (c *Client) PublishService(ctx context.Context, document []byte) (Published, error) {
	a, err := c.Service.PublishServiceWithBodyWithResponse(ctx, nil, "application/yaml", bytes.NewReader(document))
	if err != nil {
		return Published{}, err
	}
	var answer struct{ Result Published }
	err = unmarshal(a.Body, &answer)
	return answer.Result, err
}

// CheckService tells everything that is wrong with the definition of a service, in YAML or JSON; nothing: it can be published.
func (c *Client) CheckService(ctx context.Context, document []byte) ([]service.Fault, error) {
	a, err := c.Service.CheckDefinitionWithBodyWithResponse(ctx, "application/yaml", bytes.NewReader(document))
	if err != nil {
		return nil, err
	}
	return a.JSON200.Result.Faults, nil
}

// TimelineEntry is what happened to a ticket, or went wrong with telling of it.
type TimelineEntry struct {
	Seq    int64          `json:"seq,omitempty"` // of an event, from 1 without gaps; 0 of an alert
	ID     string         `json:"id,omitempty"`  // of an alert
	At     time.Time      `json:"at"`
	Type   string         `json:"type"`
	Actor  string         `json:"actor"`
	Door   string         `json:"door"` // the family that it came in through
	Before map[string]any `json:"before"`
	After  map[string]any `json:"after"`
	Note   string         `json:"note"`
	Why    string         `json:"why,omitempty"`

	Happenings []Happening `json:"happenings,omitempty"` // what went on in the process, in order

	Subscription string `json:"subscription,omitempty"` // of an alert: who was not told
	Delivery     string `json:"delivery,omitempty"`     // of an alert: of what
	Host         string `json:"host,omitempty"`         // of an alert: where
}

// Happening is something that went on at a node of a ticket's process.
type Happening struct {
	Kind   string   `json:"kind"`
	Node   string   `json:"node"`
	Round  int      `json:"round"` // how often the node was entered
	Who    string   `json:"who,omitempty"`
	For    string   `json:"for,omitempty"`
	To     []string `json:"to,omitempty"`
	Action string   `json:"action,omitempty"`
	Pass   bool     `json:"pass,omitempty"`
	Note   string   `json:"note,omitempty"`
}

// ReadEntry reads an entry of a timeline, or the event of a change, from JSON.
func ReadEntry(raw []byte) (TimelineEntry, error) {
	var e TimelineEntry
	err := unmarshal(raw, &e)
	return e, err
}

// Timeline lists everything that happened to a ticket, oldest first.
func (c *Client) Timeline(ctx context.Context, id string) iter.Seq2[TimelineEntry, error] {
	return pages(func(cursor string) ([]TimelineEntry, string, error) {
		p := issue.ReadTimelineParams{}
		at(cursor, &p.Cursor, &p.Limit)
		a, err := c.Issue.ReadTimelineWithResponse(ctx, id, &p)
		if err != nil {
			return nil, "", err
		}
		var answer struct {
			Result struct{ Items []TimelineEntry }
		}
		return answer.Result.Items, orNone(a.JSON200.Result.NextCursor), unmarshal(a.Body, &answer)
	})
}

func unmarshal(raw []byte, v any) error {
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("client: the answer is not what the document says: %w", err)
	}
	return nil
}
