// Package openapi has the documents of all calls, one for each family and part of the house API: as they are served, and as books for pages to show.
package openapi

import (
	"cmp"
	"embed"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"

	"signalbox/ticket"
)

//go:embed *.yaml
var files embed.FS

// Document is the OpenAPI 3.1 document of a family, or of a part of the house API.
type Document struct {
	Name string // as in /docs/<name>
	YAML []byte
}

// Documents gives all documents as they are served: those of the families first, in the order of ticket's list, and those of operators last.
func Documents() []Document { return slices.Clone(documents()) }

var documents = sync.OnceValue(func() []Document {
	names, err := fs.Glob(files, "*.yaml")
	if err != nil {
		panic("openapi: " + err.Error()) // the pattern is a constant
	}
	var all []Document
	for _, name := range names {
		text, err := files.ReadFile(name)
		if err != nil {
			panic("openapi: " + err.Error()) // it was listed a moment ago
		}
		if text, err = complete(text); err != nil {
			panic("openapi: " + name + ": " + err.Error()) // it is embedded
		}
		all = append(all, Document{Name: strings.TrimSuffix(name, path.Ext(name)), YAML: text})
	}
	slices.SortStableFunc(all, func(a, b Document) int {
		return cmp.Or(cmp.Compare(placeOf(a.Name), placeOf(b.Name)), strings.Compare(a.Name, b.Name))
	})
	return all
})

// IsFamily reports whether a document is that of a family.
func IsFamily(name string) bool { return slices.Contains(ticket.Families(), ticket.Channel(name)) }

// lastOfAll are the documents that only operators ask for.
var lastOfAll = []string{"audit", "codec"}

// placeOf orders documents.
func placeOf(name string) int {
	if i := slices.Index(ticket.Families(), ticket.Channel(name)); i >= 0 {
		return i - len(ticket.Families())
	}
	return slices.Index(lastOfAll, name) + 1
}
