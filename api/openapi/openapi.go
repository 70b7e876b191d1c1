// Package openapi has the documents of all calls, one for each family and part of the house API, and a page to read and try them.
package openapi

import (
	"embed"
	"html/template"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
)

//go:embed *.yaml assets
var files embed.FS

var page = template.Must(template.ParseFS(files, "assets/page.html"))

// Document is the OpenAPI 3.1 document of a family, or of a part of the house API.
type Document struct {
	Name string // as in /docs/<name>
	YAML []byte
}

// Documents gives all documents as they are served, the issue family's first.
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
		switch {
		case a.Name == "issue":
			return -1
		case b.Name == "issue":
			return 1
		}
		return strings.Compare(a.Name, b.Name)
	})
	return all
})
