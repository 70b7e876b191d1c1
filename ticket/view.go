package ticket

import "time"

// View is a list that somebody wants to see again, under a name.
type View struct {
	ID        string
	Tenant    string
	Owner     string // the person whose it is; empty: everybody of the tenant has it
	Name      string // one of an owner's has it
	Query     string // what is asked for, as the query of an address
	CreatedAt time.Time
}

// Limits of views; of the query in characters.
const (
	MaxViews     = 100 // of one owner
	MaxViewName  = 100
	MaxViewQuery = 4_096
)

// Check tells everything that is wrong with a view.
func (v View) Check() error {
	var f Faults
	f.Name("owner", v.Owner, 0, MaxName)
	f.Name("name", v.Name, 1, MaxViewName)
	f.Text("query", v.Query, 0, MaxViewQuery)
	return f.Err()
}
