package notice

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// Success is the rule by which an answer counts as success.
type Success string

const (
	SuccessOK      Success = "200"     // HTTP 200 exactly (seed 000)
	SuccessAny2xx  Success = "2xx"     // Standard Webhooks
	SuccessITSM    Success = "itsm"    // HTTP 200 or 201, and JSON with the number 0 as code (seed 002)
	SuccessPublish Success = "publish" // HTTP 200, and JSON with the string "000" as code (seed 003)
)

// Grade completes an attempt that got an answer by the profile's rule: Succeeded, or Class and Error. An attempt that failed before there was
// an answer stays as it is.
func (p Profile) Grade(a Attempt) Attempt {
	if a.Status == 0 {
		return a
	}
	a.Succeeded = false
	if !p.Success.counts(a.Status) {
		a.Class, a.Error = ErrorStatus, fmt.Sprintf("the receiver answered %d %s", a.Status, http.StatusText(a.Status))
		return a
	}
	want, looks := p.Success.code()
	if !looks {
		a.Succeeded, a.Class, a.Error = true, ErrorNone, ""
		return a
	}
	var answer map[string]json.RawMessage // a struct would take "Code" for it as well
	switch err := json.Unmarshal(a.Answer, &answer); {
	case a.Class != ErrorNone: // the answer broke off, and what it said is not known
	case err != nil:
		a.Class, a.Error = ErrorBadBody, fmt.Sprintf("the receiver's answer is not a JSON object of at most %d bytes", MaxAnswer)
	case string(answer["code"]) != want:
		a.Class, a.Error = ErrorBadBody, fmt.Sprintf("the receiver's answer does not have %s as its code", want)
	default:
		a.Succeeded, a.Error = true, ""
	}
	return a
}

// counts reports whether the rule takes this HTTP status for success.
func (s Success) counts(status int) bool {
	switch s {
	case SuccessITSM:
		return status == http.StatusOK || status == http.StatusCreated
	case SuccessAny2xx:
		return status >= 200 && status <= 299
	}
	return status == http.StatusOK
}

// code is the JSON text that the answer's member "code" must have, where the rule looks at it at all.
func (s Success) code() (text string, looks bool) {
	switch s {
	case SuccessITSM:
		return "0", true
	case SuccessPublish:
		return `"000"`, true
	}
	return "", false
}
