package page

import (
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"mime"
	"path"
	"strings"

	"github.com/gofiber/fiber/v2"

	"signalbox/api"
	"signalbox/console/assets"
)

// AssetsPath is where the assets are, which are the same for everybody.
const AssetsPath = "/console/assets/"

// files are the assets by name, with a version that changes with their content.
var files = readAssets()

type assetFile struct {
	body    []byte
	kind    string
	version string
}

// styles is the file that all styles are served as: the frame's first, then the areas' in the order of their names.
const styles = "console.css"

func readAssets() map[string]assetFile {
	bodies := map[string][]byte{}
	entries, err := fs.ReadDir(assets.Files, ".")
	if err != nil {
		panic("console: " + err.Error()) // they are embedded
	}
	var css []byte
	for _, entry := range entries {
		body, err := assets.Files.ReadFile(entry.Name())
		if err != nil {
			panic("console: " + err.Error()) // it was listed a moment ago
		}
		switch {
		case entry.Name() == styles:
			css = append(body, css...)
		case path.Ext(entry.Name()) == ".css":
			css = append(css, body...)
		default:
			bodies[entry.Name()] = body
		}
	}
	bodies[styles] = css
	out := map[string]assetFile{}
	for name, body := range bodies {
		sum := sha256.Sum256(body)
		out[name] = assetFile{body, kindOf(name), hex.EncodeToString(sum[:6])}
	}
	return out
}

// kindOf is written down for what we have, so that it does not depend on the machine's own tables.
func kindOf(name string) string {
	switch path.Ext(name) {
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".txt":
		return "text/plain; charset=utf-8"
	}
	return mime.TypeByExtension(path.Ext(name))
}

// asset is the address of an asset. It changes with the content, so that browsers may keep what they have.
func asset(name string) string {
	file, ok := files[name]
	if !ok {
		panic("console: there is no asset " + name)
	}
	return AssetsPath + name + "?v=" + file.version
}

func mountAssets(app *fiber.App) {
	for name, file := range files {
		app.Get(AssetsPath+name, func(c *fiber.Ctx) error {
			c.Set(fiber.HeaderContentType, file.kind)
			c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
			c.Set(fiber.HeaderContentSecurityPolicy, "default-src 'none'; frame-ancestors 'none'")
			c.Set(fiber.HeaderCacheControl, "no-cache")
			if strings.Clone(c.Query("v")) == file.version {
				c.Set(fiber.HeaderCacheControl, "public, max-age=31536000, immutable")
			}
			if err := c.Send(file.body); err != nil {
				return err
			}
			api.Compress(c)
			return nil
		})
	}
}
