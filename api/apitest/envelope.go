package apitest

import (
	"encoding/json"
	"net/http"

	"github.com/stretchr/testify/require"
)

// envelope is around the answers of the families that speak in the house's own style (seed 000), read without the help of the code that writes it.
type envelope struct {
	Success *bool           `json:"success"`
	Message *string         `json:"message"`
	Result  json.RawMessage `json:"result"`
}

// Result requires success and reads the result; nil: whatever it is.
func (c Client) Result(a Answer, v any) {
	c.T.Helper()
	var e envelope
	a.Into(http.StatusOK, &e)
	require.NotNil(c.T, e.Success)
	require.True(c.T, *e.Success)
	require.NotNil(c.T, e.Message)
	require.Empty(c.T, *e.Message)
	if v != nil {
		require.NoError(c.T, json.Unmarshal(e.Result, v))
	}
}

// Refused requires a refusal with the HTTP status, whose message has some words in it.
func (c Client) Refused(a Answer, status int, says string) {
	c.T.Helper()
	var e envelope
	a.Into(status, &e)
	require.NotNil(c.T, e.Success)
	require.False(c.T, *e.Success)
	require.NotNil(c.T, e.Message)
	require.NotEmpty(c.T, *e.Message)
	require.Contains(c.T, *e.Message, says)
}
