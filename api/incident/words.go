package incident

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"

	"signalbox/api"
	"signalbox/api/sdkhmac"
	"signalbox/ticket"
)

// Codes of this family. Seed 001 allows 1 to 15 characters and names the first two. Those of the gateway and of the sibling services are
// what clients of the original system know. No table of the others was ever published, so those are our own: in the seed's range, and
// ending in the HTTP status they mean.
const (
	codeDone         = "GOM.00000000"    // seed 001
	codeParameter    = "GOM.00007256"    // seed 001: 参数错误
	codeForbidden    = "GOM.00007403"    // ours
	codeUnknown      = "GOM.00007404"    // ours: handle, there is no such incident
	codeOutOfTurn    = "GOM.00007409"    // ours: not possible in the state the incident is in; nothing was changed
	codeReused       = "GOM.00007422"    // ours: the idempotency key was used for another request
	codeBusy         = "GOM.00007423"    // ours: the first request with this key is still running
	codeInternal     = "GOM.00007500"    // ours
	codeUnavailable  = "GOM.00007503"    // ours: the request may be repeated
	codeLooping      = "GOM.00007508"    // ours: the request leads back to us again and again
	codeNoTicket     = "COC.00067003"    // Terraform provider: reading an incident that is not there
	codeNoCredential = "common.01010001" // sibling services: the token is missing or not valid
	codeSignature    = "APIGW.0301"      // gateway: the signature does not verify
	codeNoRoute      = "APIGW.0101"      // gateway: no such path, or not with this method
	codeTooLarge     = "APIGW.0201"      // gateway: request entity too large
	codeTooMany      = "APIGW.0308"      // gateway: throttled
)

const (
	providerCode   = "049"  // seed 001
	parameterError = "参数错误" // seed 001
)

// codes gives the words for refusals; NotFound and Unauthorized have two each.
var codes = map[ticket.Code]string{
	ticket.Invalid: codeParameter, ticket.Forbidden: codeForbidden, ticket.Conflict: codeOutOfTurn, ticket.Busy: codeBusy,
	ticket.Reused: codeReused, ticket.TooMany: codeTooMany, ticket.Unavailable: codeUnavailable,
	api.NoRoute: codeNoRoute, api.NoMethod: codeNoRoute, api.TooLarge: codeTooLarge, api.Internal: codeInternal,
	api.Looping: codeLooping,
}

// statuses are the HTTP statuses of this family where they are not the usual ones: seed 001 knows 200 and 400, the gateway says 404 for a
// wrong method.
var statuses = map[ticket.Code]int{
	ticket.NotFound: http.StatusBadRequest,
	ticket.Conflict: http.StatusBadRequest,
	api.NoMethod:    http.StatusNotFound,
}

// refuse answers in the envelope of seed 001. The message is never empty: real clients then take the whole body for it and lose the code.
func refuse(c *fiber.Ctx, r api.Refusal) error {
	status, ok := statuses[r.Code]
	if !ok {
		status = r.Status
	}
	message := r.Error.Error()
	if r.Code == ticket.Invalid {
		message = parameterError
		// Where nothing was sent there is nothing to name: that is the seed's own answer.
		if r.Field != "body" || len(bytes.TrimSpace(c.BodyRaw())) > 0 {
			message += ": " + r.Error.Error()
		}
	}
	return api.Respond(c, status, envelope{ErrorCode: codeOf(c, r.Code), ErrorMsg: &message, ProviderCode: providerCode})
}

func codeOf(c *fiber.Ctx, code ticket.Code) string {
	switch {
	case code == ticket.NotFound && strings.TrimSuffix(c.Path(), "/") == pathHandle:
		return codeUnknown
	case code == ticket.NotFound:
		return codeNoTicket
	case code == ticket.Unauthorized && sdkhmac.Is(c.Get(fiber.HeaderAuthorization)):
		return codeSignature
	case code == ticket.Unauthorized:
		return codeNoCredential
	}
	if word, ok := codes[code]; ok {
		return word
	}
	return codeInternal
}

// foreign notes a word that is none of those a field takes, in the form in which the original system says it.
func foreign(f *ticket.Faults, field, value string) {
	if short := api.Shortened(value, 64); short != value {
		value = short + "…"
	}
	f.Add("", fmt.Sprintf("The field[%s] value[%s] invalid", field, value))
}

// actions are the three things that seed 001 lets a caller do.
var actions = map[string]ticket.Action{
	"acceptedIncident1": ticket.Accept,
	"commitSolution1":   ticket.CommitSolution,
	"confirm":           ticket.Confirm,
}

// statusWords spell a ticket's status. A suspended ticket shows the status under it.
var statusWords = map[ticket.Status]string{
	ticket.Triggered:    "INCIDENT_STATUS_TRIGGERED",
	ticket.Acknowledged: "INCIDENT_STATUS_ACKNOWLEDGED",
	ticket.Resolved:     "INCIDENT_STATUS_RESOLVED",
	ticket.Completed:    "INCIDENT_STATUS_COMPLETED",
	ticket.Terminated:   "INCIDENT_STATUS_COMPLETED",
	ticket.Revoked:      "INCIDENT_STATUS_REJECTED",
}

// name is what something is called in Chinese and in English.
type name struct{ zh, en string }

// levels are P1 (the gravest) to P5.
var levels = map[string]name{
	"level_10": {"P1", "P1"}, "level_20": {"P2", "P2"}, "level_30": {"P3", "P3"}, "level_40": {"P4", "P4"}, "level_50": {"P5", "P5"},
}

var sources = map[string]name{
	"incident_source_manual":     {"手工创建", "Manual"},
	"incident_source_forwarding": {"转单", "Forwarding"},
	"incident_source_alarm":      {"告警", "Alarm"},
}

// typeNames names the types that are usual. Which types are taken is a setting; a type without a name here has none.
var typeNames = map[string]name{
	"inc_type_p_config_issues":      {"配置问题", "Configuration issues"},
	"inc_type_p_security_issues":    {"安全问题", "Security issues"},
	"inc_type_p_function_issues":    {"功能问题", "Function issues"},
	"inc_type_p_reliability_issues": {"可靠性问题", "Reliability issues"},
	"inc_type_p_middleware_issues":  {"中间件问题", "Middleware issues"},
	"inc_type_p_change_issues":      {"变更问题", "Change issues"},
}
