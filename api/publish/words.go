package publish

import (
	"fmt"
	"net/http"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"signalbox/api"
	"signalbox/notice"
	"signalbox/ticket"
)

// Codes of this family are strings; 000 alone is success (seed 003). The others are spelled like the HTTP status.
const (
	codeDone = "000"
	msgDone  = "成功"

	codeUnavailable = "500"
	msgUnavailable  = "服务调用异常，请稍后再试或联系管理员"
)

// messages tell what the seed has no words for.
var messages = map[ticket.Code]string{
	ticket.Unauthorized: "认证失败，请检查访问凭证", ticket.Forbidden: "没有访问权限", ticket.Busy: "相同幂等键的请求正在处理中，请稍后再试",
	ticket.Reused: "幂等键已用于其他请求", ticket.TooMany: "请求过于频繁，请稍后再试",
	api.NoRoute: "请求地址不存在", api.NoMethod: "请求类型不支持", api.TooLarge: "请求内容过大", api.Looping: fmt.Sprintf("事件已经过%d次以上的转发，为防止循环不再接收", notice.MaxHops),
}

// refuse answers in the envelope of seed 003. What is not available is HTTP 500 there, whatever the reason.
func refuse(c *fiber.Ctx, r api.Refusal) error {
	e := envelope{RequestID: requestID(c), Code: strconv.Itoa(r.Status), Message: messages[r.Code]}
	status := r.Status
	switch {
	case r.Code == api.Looping:
	case status >= http.StatusInternalServerError:
		status, e.Code, e.Message = http.StatusInternalServerError, codeUnavailable, msgUnavailable
	case r.Code == ticket.Invalid && r.Field == "":
		e.Message = r.Message
	case r.Code == ticket.Invalid:
		e.Message = "参数" + r.Field + "不正确: " + r.Message
	case e.Message == "":
		e.Message = r.Error.Error()
	}
	return api.Respond(c, status, e)
}
