package page

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"
)

// Temporal is the Temporal web UI, as far as pages link to it. The zero value is none.
type Temporal struct {
	ui, namespace string
}

// NewTemporal takes the address of the web UI, http or https, and the namespace, "default" if it is empty. An empty address is none.
func NewTemporal(ui, namespace string) (Temporal, error) {
	if ui == "" {
		return Temporal{}, nil
	}
	u, err := url.Parse(ui)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return Temporal{}, fmt.Errorf("the address of the Temporal UI, %q, is no http or https URL", ui)
	}
	return Temporal{strings.TrimRight(ui, "/"), cmp.Or(namespace, "default")}, nil
}

// Workflow is the address of a workflow; empty where there is no web UI.
func (t Temporal) Workflow(id string) string {
	if t.ui == "" {
		return ""
	}
	return t.ui + "/namespaces/" + url.PathEscape(t.namespace) + "/workflows/" + url.PathEscape(id)
}
