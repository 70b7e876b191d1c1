package api

import (
	"fmt"
	"net/http"

	"github.com/gofiber/fiber/v2"

	"signalbox/notice"
	"signalbox/ticket"
)

// Looping is the refusal of a request that has come through our installations too often.
const Looping ticket.Code = "loop"

// statusLooping is what a request in a loop is answered (RFC 5842, section 7.2).
const statusLooping = http.StatusLoopDetected

// Hops is how many hops the request has come through installations of ours: see notice.LoopHeader.
func Hops(c *fiber.Ctx) int {
	var values []string
	for _, value := range c.Request().Header.PeekAll(notice.LoopHeader) {
		values = append(values, string(value))
	}
	return notice.HopsOf(values)
}

// refuseLoop refuses a request that has come too far.
func refuseLoop(c *fiber.Ctx) error {
	if hops := Hops(c); hops > notice.MaxHops {
		return ticket.Refuse(Looping, fmt.Sprintf("the request is the %dth of a chain that leads back to Signalbox again and again; at most %d are taken (%s)", hops, notice.MaxHops,
			notice.LoopHeader))
	}
	return nil
}
