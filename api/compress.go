package api

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"
)

// smallBody is what is not worth compressing, in octets.
const smallBody = 1 << 10

// compressStrangers has larger texts compressed. Who was let in by a cookie is answered as before: a page of somebody else can have such
// requests made and guess from the length of the answers what is secret in them (BREACH). Who masks what is secret calls Compress.
func compressStrangers(c *fiber.Ctx) {
	if len(c.Request().Header.Peek(fiber.HeaderCookie)) == 0 {
		Compress(c)
	}
}

// Compress sends a larger text as gzip to those who take it; one that is compressed already stays as it is.
func Compress(c *fiber.Ctx) {
	response := c.Response()
	if response.IsBodyStream() || len(response.Body()) < smallBody || len(response.Header.ContentEncoding()) > 0 || !isText(response.Header.ContentType()) {
		return
	}
	c.Vary(fiber.HeaderAcceptEncoding)
	if !takesGzip(c.Get(fiber.HeaderAcceptEncoding)) {
		return
	}
	packed := fasthttp.AppendGzipBytesLevel(nil, response.Body(), fasthttp.CompressBestSpeed)
	if len(packed) < len(response.Body()) {
		response.SetBodyRaw(packed)
		response.Header.SetContentEncoding("gzip")
	}
}

// isText tells what shrinks from what is compressed already.
func isText(contentType []byte) bool {
	kind, _, _ := bytes.Cut(contentType, []byte(";"))
	for _, text := range []string{"text/", "application/json", "application/yaml", "image/svg+xml"} {
		if bytes.HasPrefix(kind, []byte(text)) {
			return true
		}
	}
	return false
}

// takesGzip reads Accept-Encoding (RFC 9110, section 12.5.3). Who says nothing is sent nothing compressed.
func takesGzip(header string) bool {
	named, any := -1.0, 0.0
	for item := range strings.SplitSeq(header, ",") {
		coding, parameters, _ := strings.Cut(item, ";")
		weight := 1.0
		if q, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(parameters)), "q="); ok {
			weight, _ = strconv.ParseFloat(q, 64) // what is no number counts as 0
		}
		switch coding = strings.TrimSpace(coding); {
		case strings.EqualFold(coding, "gzip"), strings.EqualFold(coding, "x-gzip"):
			named = max(named, weight)
		case coding == "*":
			any = weight
		}
	}
	return named > 0 || named < 0 && any > 0
}
