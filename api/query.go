package api

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"signalbox/ticket"
)

// maxCursor is the longest cursor that is looked at, in characters.
const maxCursor = 512

// QueryReader reads the parameters of a query string and collects all that is wrong with them.
type QueryReader struct {
	values url.Values
	faults ticket.Faults
}

// ReadQuery begins to read a request's query string.
func ReadQuery(c *fiber.Ctx) (*QueryReader, error) {
	values, err := Query(c)
	return &QueryReader{values: values}, err
}

// Fault notes that a parameter is wrong.
func (q *QueryReader) Fault(name, message string) { q.faults.Add(name, message) }

// Err is nil when nothing that was read is wrong, and otherwise an Invalid refusal that tells of all.
func (q *QueryReader) Err() error { return q.faults.Err() }

// Text gives a parameter; empty when it is not there. Giving one twice is a fault: which of them was meant?
func (q *QueryReader) Text(name string, max int) string {
	if len(q.values[name]) > 1 {
		q.faults.Add(name, "is there twice")
	}
	value := q.values.Get(name)
	q.faults.Name(name, value, 0, max)
	return value
}

// Choice gives a parameter that must be one of some words.
func (q *QueryReader) Choice(name string, words ...string) string {
	value := q.Text(name, ticket.MaxName)
	if value != "" && !slices.Contains(words, value) {
		q.faults.Add(name, "must be one of "+strings.Join(words, ", "))
	}
	return value
}

// Choices is like Choice for a parameter that may be repeated.
func (q *QueryReader) Choices(name string, words ...string) []string {
	var chosen []string
	for _, value := range q.values[name] {
		switch {
		case value == "":
		case slices.Contains(words, value):
			chosen = append(chosen, value)
		default:
			q.faults.Add(name, "must be one of "+strings.Join(words, ", "))
			return nil
		}
	}
	return chosen
}

// Number gives a parameter that must be a whole number in a range.
func (q *QueryReader) Number(name string, otherwise, min, max int64) int64 {
	raw := q.Text(name, ticket.MaxName)
	if raw == "" {
		return otherwise
	}
	n, err := strconv.ParseInt(raw, 10, 64)
	if err != nil || n < min || n > max {
		q.faults.Add(name, fmt.Sprintf("must be a whole number from %d to %d", min, max))
	}
	return n
}

// Page gives what every list takes: "limit" and "cursor".
func (q *QueryReader) Page() (limit int, cursor string) {
	return q.Limit(), q.Text("cursor", maxCursor)
}

// Limit gives "limit": how much of a list is asked for.
func (q *QueryReader) Limit() int {
	return int(q.Number("limit", ticket.DefaultPage, 1, ticket.MaxPage))
}

// Moment gives a parameter that must be a time as RFC 3339 writes it.
func (q *QueryReader) Moment(name string) time.Time {
	raw := q.Text(name, ticket.MaxName)
	if raw == "" {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, raw)
	if err != nil {
		q.faults.Add(name, "must be a time like 2006-01-02T15:04:05Z (RFC 3339; '+' is written %2B)")
	}
	return at.UTC()
}
