package console

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"html/template"
	"io/fs"
	"mime"
	"path"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
)

//go:embed assets
var assetFiles embed.FS

//go:embed templates
var templateFiles embed.FS

const assetsPath = "/console/assets/"

// assets are the embedded files by name, with a version that changes with their content.
var assets = readAssets()

type assetFile struct {
	body    []byte
	kind    string
	version string
}

func readAssets() map[string]assetFile {
	out := map[string]assetFile{}
	entries, err := fs.ReadDir(assetFiles, "assets")
	if err != nil {
		panic("console: " + err.Error()) // they are embedded
	}
	for _, entry := range entries {
		body, err := assetFiles.ReadFile("assets/" + entry.Name())
		if err != nil {
			panic("console: " + err.Error()) // it was listed a moment ago
		}
		sum := sha256.Sum256(body)
		out[entry.Name()] = assetFile{body, kindOf(entry.Name()), hex.EncodeToString(sum[:6])}
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

// asset is the address of an embedded file. It changes with the content, so that browsers may keep what they have.
func asset(name string) string {
	file, ok := assets[name]
	if !ok {
		panic("console: there is no asset " + name)
	}
	return assetsPath + name + "?v=" + file.version
}

func mountAssets(app *fiber.App) {
	for name, file := range assets {
		app.Get(assetsPath+name, func(c *fiber.Ctx) error {
			c.Set(fiber.HeaderContentType, file.kind)
			c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
			c.Set(fiber.HeaderContentSecurityPolicy, "default-src 'none'; frame-ancestors 'none'")
			c.Set(fiber.HeaderCacheControl, "no-cache")
			if c.Query("v") == file.version {
				c.Set(fiber.HeaderCacheControl, "public, max-age=31536000, immutable")
			}
			return c.Send(file.body)
		})
	}
}

// pages are the templates by name: each is the layout, the shared parts, and one file of its own.
var pages = readPages()

func readPages() map[string]*template.Template {
	base := template.New("console").Funcs(template.FuncMap{
		"text": text, "fold": fold, "pretty": pretty, "iso": iso, "clock": clock, "exact": exact, "took": took, "count": count, "asset": asset,
		"opening": opening, "millis": func(ms *int64) time.Time { return time.UnixMilli(*ms).UTC() },
	})
	base = template.Must(base.ParseFS(templateFiles, "templates/layout.html", "templates/parts/*.html"))
	names, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		panic("console: " + err.Error()) // the pattern is a constant
	}
	out := map[string]*template.Template{}
	for _, file := range names {
		if name := strings.TrimSuffix(path.Base(file), ".html"); name != "layout" {
			out[name] = template.Must(template.Must(base.Clone()).ParseFS(templateFiles, file))
		}
	}
	return out
}
