package openapi

import (
	"bytes"
	"sync"

	"github.com/gofiber/fiber/v2"

	"signalbox/api"
)

// policy lets the page load nothing that did not come from here. The viewer styles itself at run time, hence 'unsafe-inline' for styles.
const policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Mount serves the documents at /openapi/<name>.yaml and the page to try them at /docs.
func Mount(s *api.Server) {
	shown := pages()
	for i, d := range documents() {
		s.Page("/openapi/"+d.Name+".yaml", func(c *fiber.Ctx) error {
			c.Set(fiber.HeaderContentType, "application/yaml; charset=utf-8")
			return c.Send(d.YAML)
		})
		show := func(c *fiber.Ctx) error {
			c.Set(fiber.HeaderContentSecurityPolicy, policy)
			c.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
			return c.Send(shown[i])
		}
		s.Page("/docs/"+d.Name, show)
		if i == 0 {
			s.Page("/docs", show)
		}
	}
	viewer, err := files.ReadFile("assets/rapidoc.js")
	if err != nil {
		panic("openapi: " + err.Error()) // it is embedded
	}
	s.Page("/docs/assets/rapidoc.js", func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderContentType, "text/javascript; charset=utf-8")
		c.Set(fiber.HeaderCacheControl, "public, max-age=86400")
		return c.Send(viewer)
	})
}

// pages are the pages to try the documents at, one for each, in their order.
var pages = sync.OnceValue(func() [][]byte {
	var names []string
	for _, d := range documents() {
		names = append(names, d.Name)
	}
	all := make([][]byte, len(names))
	for i, name := range names {
		var html bytes.Buffer
		if err := page.Execute(&html, map[string]any{"Current": name, "Names": names}); err != nil {
			panic("openapi: " + err.Error()) // template and data are both part of the program
		}
		all[i] = html.Bytes()
	}
	return all
})
