package itsm

import (
	"errors"
	"net/http"

	"github.com/gofiber/fiber/v2"

	"signalbox/api"
	"signalbox/ticket"
)

// Codes of the original system (itsm.md 1.2). They are integers, always: clients decode nothing else.
const (
	codeCreate    = 3900003 // a ticket cannot be created so
	codeOperate   = 3900004 // the operation is not possible
	codeForm      = 3900005 // parameters are wrong
	codeNoTicket  = 3900022
	codePartial   = 3900036 // import_service, update_service, create_service_catalog: it cannot be done so
	codeNoService = 3900042 // get_service_roles
	codeDelivered = 3900046 // handed over to somebody who has handled the node already
	codeNoObject  = 3900404 // get_service_detail, get_workflow_detail
)

const (
	saysForm      = "参数验证失败: "
	saysCreate    = "创建单据失败: "
	saysOperate   = "单据操作失败: "
	saysPartial   = "服务导入失败: "
	saysNoTicket  = "没有找到对应的单据"
	saysNoService = "服务不存在"
	saysNoFlow    = "流程版本不存在"
)

// failure is a refusal that has a code and words of its own.
type failure struct {
	why     *ticket.Error
	code    int
	message string
}

// Error implements error.
func (f failure) Error() string { return f.why.Error() }

// Unwrap gives the refusal in the house's words.
func (f failure) Unwrap() error { return f.why }

// fail makes a refusal of ours with a code and words of its own; the house's code says what kind it is.
func fail(kind ticket.Code, code int, message string) error {
	return failure{ticket.Refuse(kind, message), code, message}
}

// because gives a refusal a code and words of its own; any other error stays what it is.
func because(err error, code int, message string) error {
	if refusal := ticket.AsError(err); refusal != nil && business(refusal.Code) {
		return failure{refusal, code, message}
	}
	return err
}

// business reports whether a refusal says something about what was asked for. Everything else is said in the words of the address.
func business(code ticket.Code) bool {
	return code == ticket.Invalid || code == ticket.NotFound || code == ticket.Conflict || code == ticket.Forbidden
}

// words say what an operation calls its refusals.
type words struct {
	invalid, other int // codes: of wrong parameters, and of what is not possible
	lost           int // code of a ticket that is not there
}

var (
	reading    = words{codeForm, codeForm, codeNoTicket}
	creating   = words{codeForm, codeCreate, codeNoTicket}
	operating  = words{codeForm, codeOperate, codeNoTicket}
	importing  = words{codeForm, codePartial, codeNoTicket}
	commenting = words{codeForm, codeForm, codeForm}
)

var says = map[int]string{codeForm: saysForm, codeCreate: saysCreate, codeOperate: saysOperate, codePartial: saysPartial}

type refusedKey struct{}

// refused is a refusal of an operation, kept with the request: HTTP has nothing to say about it.
type refused struct {
	code    int
	message string
}

// translate keeps with a request how its operation calls a refusal.
func (w words) translate(c *fiber.Ctx, err error) {
	var own failure
	refusal := ticket.AsError(err)
	switch {
	case errors.As(err, &own):
		c.Locals(refusedKey{}, refused{own.code, own.message})
	case refusal == nil || !business(refusal.Code):
	case refusal.Code == ticket.NotFound:
		prefix := ""
		if w.lost == codeForm {
			prefix = saysForm
		}
		c.Locals(refusedKey{}, refused{w.lost, prefix + saysNoTicket})
	default:
		code := w.other
		if refusal.Code == ticket.Invalid {
			code = w.invalid
		}
		c.Locals(refusedKey{}, refused{code, says[code] + refusal.Error()})
	}
}

// envelope is around every answer. The ESB adds its request_id, the gateway the name of its code.
type envelope struct {
	Result    bool   `json:"result"`
	Code      int    `json:"code"`
	CodeName  string `json:"code_name,omitempty"`
	Message   string `json:"message"`
	Data      any    `json:"data"`
	RequestID string `json:"request_id,omitempty"`
}

func (c *call) envelope(data any) envelope {
	e := envelope{Result: true, Message: "success", Data: data}
	if c.esb {
		e.RequestID = api.RequestID(c.Ctx)
	}
	return e
}

// esbCodes are the ESB's own (itsm.md 2.2); those that end in another HTTP status than the first line's are ours, in its style.
var esbCodes = map[ticket.Code]int{
	ticket.Unauthorized: 1306000, ticket.Forbidden: 1306403, api.NoRoute: 1306404, ticket.Invalid: 1306406, api.TooLarge: 1306406, ticket.TooMany: 1306429,
	api.NoMethod: 1306405, ticket.Busy: 1306409, ticket.Reused: 1306422, ticket.Unavailable: 1306503, api.Internal: 1306500,
	api.Looping: 1306508,
}

// esbStatuses are what the ESB says in its envelope alone.
var esbStatuses = map[ticket.Code]bool{ticket.Unauthorized: true, ticket.Forbidden: true, api.NoRoute: true, ticket.Invalid: true, ticket.TooMany: true}

type gatewayCode struct {
	code int
	name string
}

// gatewayCodes are the gateway's own (itsm.md 2.2), 16, the HTTP status and two digits; where no client was seen to know one it is made so.
var gatewayCodes = map[ticket.Code]gatewayCode{
	ticket.Invalid:      {1640001, "INVALID_ARGS"},
	ticket.Unauthorized: {1640101, "APP_VERIFY_FAILED"},
	ticket.Forbidden:    {1640301, "APP_NO_PERMISSION"},
	api.NoRoute:         {1640401, "API_NOT_FOUND"},
	api.NoMethod:        {1640501, "METHOD_NOT_ALLOWED"},
	ticket.Busy:         {1640901, "REQUEST_IN_PROGRESS"},
	api.TooLarge:        {1641301, "BODY_SIZE_LIMIT_EXCEED"},
	ticket.Reused:       {1642201, "IDEMPOTENCY_KEY_REUSED"},
	ticket.TooMany:      {1642901, "RATE_LIMIT_RESTRICTION"},
	ticket.Unavailable:  {1650301, "SERVICE_UNAVAILABLE"},
	api.Internal:        {1650001, "INTERNAL_SERVER_ERROR"},
	api.Looping:         {1650801, "LOOP_DETECTED"},
}

// refuse answers in the envelope. What an operation refuses is HTTP 200, at every address.
func (a address) refuse(c *fiber.Ctx, r api.Refusal) error {
	e := envelope{Message: r.Error.Error()}
	if a.esb {
		e.RequestID = api.RequestID(c)
	}
	status := r.Status
	own, operational := c.Locals(refusedKey{}).(refused)
	switch {
	case operational:
		e.Code, e.Message, status = own.code, own.message, http.StatusOK
	case a.esb:
		code, known := esbCodes[r.Code]
		if !known {
			code = esbCodes[api.Internal]
		}
		e.Code = code
		// A key that is not well formed is part of HTTP, not of the contract's parameters.
		if esbStatuses[r.Code] && r.Field != api.HeaderKey && r.Field != api.HeaderXKey {
			status = http.StatusOK
			c.Response().Header.Del(fiber.HeaderWWWAuthenticate)
		}
	default:
		code, known := gatewayCodes[r.Code]
		if !known {
			code = gatewayCodes[api.Internal]
		}
		e.Code, e.CodeName = code.code, code.name
	}
	return api.Respond(c, status, e)
}
