package issue_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

// What an INT was sent with is kept in the database and shown as it was sent, whether it was filled in at the opening, at a node, or in a simulation. What
// does not fit is refused with the field, the value and the limits.
func TestNumbersKeepTheirDigits(t *testing.T) {
	b := setup(t)
	b.publish(`
key: order
name: Order
fields: [{key: id, type: INT}]
nodes:
- {id: pick, name: Pick, type: task, processors: {persons: [ann]}, fields: [{key: picked, type: INT, default: 9007199254740993}], next: ship}
- {id: ship, name: Ship, type: task, processors: {persons: [ann]}, next: done}
- {id: done, name: Done, type: end}`)
	open := func(id string) (int, string) {
		a := b.Do("POST", "/api/issue", []byte(`{"origin":"test","title":"x","service":"order","fields":{"id":`+id+`}}`))
		return a.Status, string(a.Body)
	}
	for _, id := range []string{"9007199254740991.5", "9223372036854775808", "1e30", `"12a"`} {
		status, body := open(id)
		require.Equal(t, http.StatusBadRequest, status)
		require.Contains(t, body, "fields.id")
		require.Contains(t, body, "-9223372036854775808 to 9223372036854775807")
		if id[0] != '"' {
			require.Contains(t, body, "not "+id)
		}
	}
	var number string
	b.Result(b.Do("POST", "/api/issue", []byte(`{"origin":"test","title":"x","service":"order","fields":{"id":7615917337495251231}}`)), &number)
	b.Result(b.act(number, "ann", "submit", "pick", nil), nil)
	shown := string(b.Do("GET", "/api/issue/"+number, nil).Body)
	require.Contains(t, shown, `"id":7615917337495251231`)
	require.Contains(t, shown, `"picked":9007199254740993`)
}
