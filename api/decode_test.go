package api_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"signalbox/api"
	"signalbox/ticket"
)

func TestDecode(t *testing.T) {
	type inner struct {
		Type  *string  `json:"type"`
		Items []string `json:"items"`
		Flag  *ticket.Flag
	}
	type body struct {
		Name  *string         `json:"name"`
		Count *int            `json:"count"`
		List  []inner         `json:"list"`
		Raw   json.RawMessage `json:"raw"`
		Any   map[string]any  `json:"any"`
		Yes   *ticket.Flag    `json:"yes"`
	}
	for name, c := range map[string]struct{ raw, says string }{
		"empty":             {"", "body: is required and must be JSON"},
		"blank":             {" \r\n\t", "body: is required and must be JSON"},
		"text after":        {`{} {}`, "body: is not well-formed JSON"},
		"cut off":           {`{"name":"a`, "body: is not well-formed JSON"},
		"NaN":               {`{"count":NaN}`, "body: is not well-formed JSON"},
		"bad UTF-8":         {"{\"name\":\"\xc3\x28\"}", "body: must be valid UTF-8"},
		"bad UTF-8 unread":  {"{\"other\":\"\xc3\x28\"}", "body: must be valid UTF-8"},
		"half surrogate":    {`{"name":"\udc00"}`, "body: is not well-formed JSON"},
		"byte order mark":   {"\ufeff{}", "body: begins with a byte order mark (U+FEFF), which JSON must not"},
		"list at the top":   {`[{}]`, "body: must be an object"},
		"number for text":   {`{"name":1}`, "name: must be a string"},
		"text for number":   {`{"count":"1"}`, "count: must be a whole number in its range"},
		"fraction":          {`{"count":1.5}`, "count: must be a whole number in its range"},
		"out of range":      {`{"count":1e30}`, "count: must be a whole number in its range"},
		"object for list":   {`{"list":{}}`, "list: must be an array"},
		"text for object":   {`{"list":[{},"x"]}`, "list[1]: must be an object"},
		"deep inside":       {`{"list":[{"items":["a",{}]}]}`, "list[0].items[1]: must be a string"},
		"flag":              {`{"yes":"yes"}`, "yes: must be true or false"},
		"flag of other key": {`{"list":[{"Flag":0}]}`, "list[0].Flag: must be true or false"},
		"list for map":      {`{"any":[]}`, "any: must be an object"},
		"very deep":         {strings.Repeat(`{"any":`, 20_000), "body: is not well-formed JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			var b body
			err := api.DecodeJSON([]byte(c.raw), &b)
			require.True(t, ticket.Is(err, ticket.Invalid), "%v", err)
			require.EqualError(t, err, c.says)
		})
	}
	var b body
	require.NoError(t, api.DecodeJSON([]byte(`{"NAME":"x","name":"first","name":"last","raw":{"b": 1},"yes":"false","count":null,"unknown":[1]}`), &b))
	require.Equal(t, "last", *b.Name)
	require.JSONEq(t, `{"b":1}`, string(b.Raw))
	require.Equal(t, ticket.Flag(false), *b.Yes)
	require.Nil(t, b.Count)
	b = body{}
	require.NoError(t, api.DecodeJSON([]byte(`{"NAME":"x"}`), &b))
	require.Nil(t, b.Name, "names match exactly")
}
