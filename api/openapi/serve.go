package openapi

import (
	"github.com/gofiber/fiber/v2"

	"signalbox/api"
)

// Mount serves the documents at /openapi/<name>.yaml. Package console/docs has the pages to read and try them.
func Mount(s *api.Server) {
	for _, d := range documents() {
		s.Page("/openapi/"+d.Name+".yaml", func(c *fiber.Ctx) error {
			c.Set(fiber.HeaderContentType, "application/yaml; charset=utf-8")
			return c.Send(d.YAML)
		})
	}
}
